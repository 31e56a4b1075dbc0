/**
 * Edits of a batch that continue others: the result of a line before them, or one that the command remembers. What is made
 * from the original becomes an ordinary edit of it, before the first one begins.
 */
import { invalid } from "../../errors.ts";
import { type ImageSource, readImageSource } from "../../index.ts";
import { sha256 } from "../../sha256.ts";
import { fromChain, placeOf, type StartingPoint, startingPoint, type Wanted } from "../from-original.ts";
import type { History, RememberedEdit } from "../history.ts";
import { type Entry, numPictures, type ParentResult } from "./entry.ts";

/** An entry whose parent is known by its edit's key. */
export interface LinkedEntry extends Omit<Entry, "parent" | "isFromOriginal"> {
  parent?: ParentResult | undefined;
}

/** One result that a line asks for. */
interface Result {
  entry: LinkedEntry;
  /** Of its edit. */
  key: string;
}

export interface Chains {
  /** Finds what an entry continues. @throws RetouchError INVALID_PARAMETER about `parent`, `parentImage` or `fromOriginal` */
  link(entry: Entry): Promise<LinkedEntry>;
  /** Makes the results of an entry known to those after it. */
  add(entry: Entry, results: readonly Result[]): void;
}

/** @param signal ends a wait for a file or a host */
export function createChains(history: History, signal: AbortSignal): Chains {
  const byOutput = new Map<string, readonly Result[]>();
  const byKey = new Map<string, Result>();
  const read = (place: string): Promise<ImageSource> => readImageSource(place, { signal, isVerified: true });

  function resultOf({ output, image }: NonNullable<Entry["parent"]>): Result {
    const results = byOutput.get(output);
    if (results === undefined) {
      const sentence = `no earlier line that can be made has the output ${output}.`;
      throw invalid("about", { field: "parent", sentence });
    }
    const found = results[image];
    if (found !== undefined) return found;
    const count = results.length === 1 ? "one result" : `${results.length} results`;
    throw invalid("about", { field: "parentImage", sentence: `that line has ${count}, counted from 0.` });
  }

  /** The edits that lead to a result: those of this batch, then those that are remembered. */
  async function chainOf(result: Result): Promise<RememberedEdit[]> {
    const chain: RememberedEdit[] = [];
    for (let next: Result | undefined = result; next !== undefined;) {
      const { parameters, pictures, images, parent }: LinkedEntry = next.entry;
      const turn: RememberedEdit = {
        result: "",
        prompt: parameters.prompt ?? "",
        prompt2: parameters.prompt2 || undefined,
        hasMask: pictures["mask"] !== undefined,
        numImages: numPictures(next.entry),
      };
      chain.push(turn);
      const [first] = images;
      if (parent === undefined && first !== undefined) {
        turn.place = first.source;
        turn.source = sha256((await read(first.source)).bytes);
        chain.push(...(await history.chainOf(turn.source)));
      }
      next = parent && byKey.get(parent.key);
    }
    return chain;
  }

  async function originalOf(entry: Entry, parent: Result | undefined): Promise<StartingPoint> {
    const [first] = entry.images;
    const wanted: Wanted = {
      picture: first && parent === undefined ? await read(first.source) : undefined,
      place: undefined,
      prompt: entry.parameters.prompt ?? "",
      prompt2: entry.parameters.prompt2 || undefined,
      isFromOriginal: true,
      name: "",
      read,
    };
    return parent === undefined ? startingPoint(history, wanted) : fromChain(await chainOf(parent), wanted);
  }

  return {
    async link({ parent: named, isFromOriginal, ...entry }) {
      const parent = named && resultOf(named);
      if (isFromOriginal !== true) {
        return { ...entry, parent: named && { output: named.output, key: parent!.key } };
      }
      const { place, prompt, prompt2 } = await originalOf(entry, parent);
      const others = parent === undefined ? entry.images.slice(1) : entry.images;
      const original = { given: place!, source: place! };
      const parameters = { ...entry.parameters, prompt, prompt2 };
      return { ...entry, images: [original, ...others], parameters };
    },
    add({ output }, results) {
      if (output !== undefined && !byOutput.has(output)) byOutput.set(output, results);
      for (const result of results) byKey.set(result.key, result);
    },
  };
}

/** Where the first picture of an edit is, as it is remembered. @param parentFile the result that it continues, if it does */
export const rememberedPlace = (
  { images: [first] }: Pick<Entry, "images">,
  parentFile: string | undefined,
): string | undefined => parentFile ?? placeOf(first?.source, (file) => file);
