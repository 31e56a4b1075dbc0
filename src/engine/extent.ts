/** The extent of an edit: everything its memory and its time depend on. */
import { EDIT_PARAMETERS } from "./edit-parameters.ts";
import type { Size } from "./request.ts";
import type { NativeScale } from "./sizes.ts";

/** How large an edit is: what its memory and its time depend on. */
export interface EditExtent {
  /** Pixels that the network generates. */
  target: Size;
  /** Pixels of each image that it sees. */
  references: readonly Size[];
  numSteps: number;
  /** Whether there is a second pass per step. */
  isNegativeUsed: boolean;
  /** Tokens of the texts, where an edit chooses. @default the model's own */
  textLength?: number | undefined;
  /** Bytes of the LoRAs while they are used. @default 0 */
  loraBytes?: number | undefined;
  /** Bytes of encodings that are kept from edit to edit. @default 0 */
  encodingBytes?: number | undefined;
  /** Images that a run of the transformer takes. @default 1 */
  atOnce?: number | undefined;
  /** Edits of this extent that run together. @default 1 */
  members?: number | undefined;
  /** Size of the result. @default one that counts as nothing beside the networks */
  result?: Size | undefined;
  /** How many results there are. @default 1 */
  numResults?: number | undefined;
  /** Whether results have the numbers of a file with more than 8 bits, or with transparency. @default false */
  isDeep?: boolean | undefined;
  /** Size of the first image as its file has it. @default one that counts as nothing */
  source?: Size | undefined;
  /** A mask of that size; a soft one is blurred or feathered. @default there is none */
  mask?: "hard" | "soft" | undefined;
}

/**
 * Bytes per pixel of the first image as decoded, at the result's size, and shared with threads, of the result there and out
 * of there, and of its file: 3 each, or up to 8 in its file's own numbers (`bench/picture-memory.ts` measures it).
 */
const PLAIN_BYTES = 18;
const DEEP_BYTES = 55;
/** The same of every further result, which waits for the others: its picture, its map, and its file. */
const WAITING_PLAIN_BYTES = 7;
const WAITING_DEEP_BYTES = 13;
/** Bytes per pixel of the first image and its file while they are decoded, whatever the result's size. */
const SOURCE_BYTES = 4;
const DEEP_SOURCE_BYTES = 24;
/** The same of a mask beside them: its colours and greys, and the distances of a feather. */
const MASK_BYTES = { hard: 6, soft: 14 } as const;
/** Of a mask while a result is put together: as it is given, and as it is laid over the image. */
const HELD_MASK_BYTES = { hard: 4, soft: 7 } as const;
/** Pixels whose bytes every process has room for. */
export const USUAL_PIXELS = 4e6;

/** Bytes of the pictures of an edit, whole: at its beginning or at its end, whichever takes more. */
export function pictureBytes({ result, numResults = 1, isDeep = false, source, mask }: EditExtent): number {
  const waiting = (numResults - 1) * (isDeep ? WAITING_DEEP_BYTES : WAITING_PLAIN_BYTES);
  const perPixel = (isDeep ? DEEP_BYTES : PLAIN_BYTES) + waiting;
  const first = (isDeep ? DEEP_SOURCE_BYTES : SOURCE_BYTES) + (mask ? MASK_BYTES[mask] : 0);
  const held = mask ? HELD_MASK_BYTES[mask] : 0;
  return Math.max(first * beyondUsual(source), perPixel * beyondUsual(result) + held * beyondUsual(source));
}

const beyondUsual = (size: Size | undefined): number =>
  size === undefined ? 0 : Math.max(size.width * size.height - USUAL_PIXELS, 0);

/** What brings a second pass per step: a negative prompt, guidance above 1, or nothing. */
export type SecondPass = "negative" | "guidance" | "never";

/** The part of an extent that follows from a model's defaults. */
export type UsualPasses = Pick<EditExtent, "numSteps" | "isNegativeUsed">;

/** That of FLUX.1 Kontext. */
export const USUAL_PASSES: UsualPasses = {
  numSteps: EDIT_PARAMETERS.numSteps.default,
  isNegativeUsed: false,
};

/** The edit that memory is planned for up front: the defaults and a second pass, at the native size. */
export function usualEdit({ area }: NativeScale, usual?: UsualPasses): EditExtent {
  return { ...squareEdit(Math.sqrt(area), usual), isNegativeUsed: true };
}

/** An edit of square images, `side` pixels wide, to one more of that size, that does not choose. @param numImages default 1 */
export function squareEdit(side: number, usual: UsualPasses = USUAL_PASSES, numImages = 1): EditExtent {
  const size = { width: side, height: side };
  return { target: size, references: Array.from({ length: numImages }, () => size), ...usual };
}
