/** Whether an edit that continues others can be made from their original, with the instructions of all of them. */
import { type Instruction, joinTurns, tooLong } from "../engine/instructions.ts";
import type { JobLineage, JobStatus, ResultImage } from "./job.ts";

/** One edit of a chain. */
export interface Turn {
  id: string;
  status: JobStatus;
  prompt: string;
  prompt2?: string | undefined;
  hasMask: boolean;
  numImages: number;
  lineage?: JobLineage | undefined;
  /** Of its first picture: where it was stored, and whether it still is. */
  source?: { key: string; sha256?: string | undefined; isKept: boolean } | undefined;
  /** Where its results lie; only of the latest turn. */
  results: readonly { image: ResultImage; isKept: boolean }[];
}

/** The latest turn first; complete if the last one is made from the original. */
export type Chain = readonly [Turn, ...Turn[]];

export type Original =
  | ({
      kind: "known";
      /** The first picture of the chain. */
      source: NonNullable<Turn["source"]>;
    } & Instruction)
  /** Goes on from the name of a field. */
  | { kind: "unknown"; sentence: string };

/**
 * The original of a chain, and the instructions of all its turns with the next one as one.
 * @param options.hasPicture whether the caller has the original, so that it need not be kept here
 */
export function originalOf(
  chain: Chain,
  next: Instruction,
  { hasPicture = false }: { hasPicture?: boolean } = {},
): Original {
  const turns = chain.toReversed();
  const [first] = turns as [Turn, ...Turn[]];
  if (first.lineage !== undefined && !first.lineage.isFromOriginal) {
    return unknown("an earlier edit is no longer kept, and its instruction with it.");
  }
  const numEarlier = (first.lineage?.turn ?? 1) - 1;
  for (const [index, { hasMask, numImages }] of turns.entries()) {
    const turn = `edit ${numEarlier + index + 1} of the picture`;
    if (hasMask) return unknown(`${turn} was made with a mask, which cannot be used again.`);
    if (numImages > 1) return unknown(`${turn} used several images, which cannot be used again.`);
  }
  const { source } = first;
  if (source === undefined) return unknown("the first edit was made without an image.");
  if (!source.isKept && !hasPicture) {
    return unknown("the original is no longer there; give it as image, in base64, together with parent.");
  }
  const joined = joinTurns([...turns, next]);
  const problem = tooLong(joined);
  if (problem !== undefined) return unknown(problem);
  return { kind: "known", source, ...joined };
}

const unknown = (sentence: string): Original => ({ kind: "unknown", sentence });

/** The lineage of the edit that comes next. @param place which result of the latest turn is its picture */
export function continuationOf(
  [parent]: Chain,
  place: number,
  original: Original,
  { isFromOriginal = false }: { isFromOriginal?: boolean } = {},
): JobLineage {
  const lineage = { parent: parent.id, parentImage: place, turn: (parent.lineage?.turn ?? 1) + 1 };
  if (isFromOriginal) return { ...lineage, isFromOriginal };
  return { ...lineage, hasOriginal: original.kind === "known" };
}
