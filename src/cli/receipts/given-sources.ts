/** The pictures that an edit was made of, given once more. */
import { digestOf, type FileDigest, readImageSource, type Receipt, RetouchError } from "../../index.ts";
import { oneLine } from "../report.ts";

export interface GivenSources {
  images: readonly Uint8Array[];
  mask: Uint8Array | undefined;
}

interface Named {
  bytes: Uint8Array;
  name: string;
}

export interface ReadSources extends GivenSources {
  names: readonly string[];
  maskName: string | undefined;
}

/** @throws RetouchError as `readImageSource` */
export async function readSources(
  { source = [], mask }: { source?: string[] | undefined; mask?: string | undefined },
  signal: AbortSignal,
): Promise<ReadSources> {
  const read = (place: string): Promise<Named> => readImageSource(place, { signal, isVerified: true });
  const images: Named[] = [];
  for (const place of source) images.push(await read(place));
  const masking = mask === undefined ? undefined : await read(mask);
  return {
    images: images.map(({ bytes }) => bytes),
    names: images.map(({ name }) => name),
    mask: masking?.bytes,
    maskName: masking?.name,
  };
}

/** @throws RetouchError RECEIPT_INVALID for pictures that are not those of the receipt */
export function checkSources({ inputs, mask }: Receipt, given: ReadSources): void {
  const refuse = (sentence: string): never => {
    throw new RetouchError("RECEIPT_INVALID", sentence);
  };
  if (inputs.length !== given.images.length) {
    const count = inputs.length === 1 ? "one picture" : `${inputs.length} pictures`;
    refuse(
      `The edit was made of ${count}, and ${given.images.length} are given; --source names each, in their order.`,
    );
  }
  for (const [index, bytes] of given.images.entries()) {
    if (isOf(bytes, inputs[index]!)) continue;
    refuse(`${oneLine(given.names[index]!)} is not the picture that was edited: its SHA-256 is another.`);
  }
  if (mask === undefined && given.mask !== undefined) refuse("The edit had no mask, and --mask names one.");
  if (mask !== undefined && given.mask === undefined) refuse("The edit had a mask; --mask must name it.");
  if (mask !== undefined && !isOf(given.mask!, mask)) {
    refuse(`${oneLine(given.maskName!)} is not the mask of the edit: its SHA-256 is another.`);
  }
}

const isOf = (bytes: Uint8Array, digest: FileDigest): boolean => digestOf(bytes).sha256 === digest.sha256;
