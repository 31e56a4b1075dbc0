/** Edits of remembered results: made from the original where that is asked for, and offered where it is not. */
import { invalid } from "../errors.ts";
import { type ImageSource, type Instruction, joinTurns, offerOf, RetouchError, tooLong } from "../index.ts";
import { sha256 } from "../sha256.ts";
import type { History, RememberedEdit } from "./history.ts";

export interface Wanted extends Instruction {
  /** The first picture that was given. */
  picture: ImageSource | undefined;
  /** Where that was, as it is to be remembered. */
  place: string | undefined;
  isFromOriginal: boolean;
  /** What the option is called where the edit was asked for. */
  name: string;
  /** Reads a picture from where it was. @throws RetouchError */
  read: (place: string) => Promise<ImageSource>;
}

export interface StartingPoint extends Instruction {
  picture: ImageSource | undefined;
  /** Where it was, as it is remembered. */
  place: string | undefined;
  /** What the user should know. */
  notices: readonly string[];
}

/**
 * The picture and the instruction that an edit is made of.
 * @throws RetouchError INVALID_PARAMETER where it cannot be made from the original
 */
export async function startingPoint(history: History, wanted: Wanted): Promise<StartingPoint> {
  const { picture, isFromOriginal, prompt, prompt2 } = wanted;
  const chain = picture === undefined ? [] : await history.chainOf(sha256(picture.bytes));
  const plain = { picture, place: wanted.place, prompt, prompt2, notices: [] };
  if (!isFromOriginal) {
    const isOffered = chain.length > 0 && (await isThere(chain, wanted));
    return isOffered ? { ...plain, notices: [offerOf(chain.length + 1, wanted.name)] } : plain;
  }
  if (chain.length === 0) {
    throw refused(
      "the image is not a result that was remembered here; RETOUCH_HISTORY=true remembers results.",
    );
  }
  return fromChain(chain, wanted);
}

/**
 * An edit of the first picture of a chain, by the instructions of all its edits and its own.
 * @param chain the latest first
 * @throws RetouchError INVALID_PARAMETER where it cannot be made
 */
export async function fromChain(
  chain: readonly RememberedEdit[],
  wanted: Pick<Wanted, "prompt" | "prompt2" | "read">,
): Promise<StartingPoint> {
  const { joined, place, source } = planOf(chain, wanted);
  const original = await wanted.read(place);
  if (sha256(original.bytes) !== source) throw refused("the original has been changed since.");
  return { picture: original, place, ...joined, notices: [] };
}

const refused = (sentence: string): RetouchError => invalid("about", { field: "fromOriginal", sentence });

/** @throws RetouchError if the chain cannot be made in one edit */
function planOf(
  chain: readonly RememberedEdit[],
  { prompt, prompt2 }: Instruction,
): { joined: Instruction; place: string; source: string } {
  const turns = chain.toReversed();
  for (const [index, { hasMask, numImages }] of turns.entries()) {
    const turn = `edit ${index + 1} of the picture`;
    if (hasMask) throw refused(`${turn} was made with a mask, which cannot be used again.`);
    if (numImages > 1) throw refused(`${turn} used several images, which cannot be used again.`);
  }
  const { place, source } = turns[0]!;
  if (source === undefined) throw refused("the first edit was made without an image.");
  if (place === undefined) throw refused("the place of the original was not remembered.");
  const joined = joinTurns([...turns, { prompt, prompt2 }]);
  const problem = tooLong(joined);
  if (problem !== undefined) throw refused(problem);
  return { joined, place, source };
}

/** An offer makes no connection: an original elsewhere is not offered. */
async function isThere(chain: readonly RememberedEdit[], wanted: Wanted): Promise<boolean> {
  try {
    const { place, source } = planOf(chain, wanted);
    return !isUrl(place) && sha256((await wanted.read(place)).bytes) === source;
  } catch (error) {
    if (error instanceof RetouchError) return false;
    throw error;
  }
}

const isUrl = (place: string): boolean => /^https?:/i.test(place);

/** What is remembered of an edit that is done. */
export function rememberedEdits(
  { picture, place, prompt, prompt2 }: StartingPoint,
  images: readonly Uint8Array[],
  others: Pick<RememberedEdit, "hasMask" | "numImages">,
): RememberedEdit[] {
  const source = picture && sha256(picture.bytes);
  return images.map((image) => ({ result: sha256(image), source, place, prompt, prompt2, ...others }));
}

/** What is remembered of where a picture was given from; of a URL nothing that could be a secret. */
export function placeOf(given: string | undefined, pathOf: (file: string) => string): string | undefined {
  if (given === undefined || given === "-" || /^data:/i.test(given)) return undefined;
  if (isUrl(given)) return /[?#@]/.test(given) ? undefined : given;
  return /^file:/i.test(given) ? given : pathOf(given);
}
