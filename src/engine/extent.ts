/** The extent of an edit: everything its memory and its time depend on. */
import { EDIT_PARAMETERS } from "./edit-parameters.ts";
import type { Size } from "./request.ts";
import type { NativeScale } from "./sizes.ts";

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
  /** Size of the result. @default one that counts as nothing beside the networks */
  result?: Size | undefined;
}

/** The original as decoded, at the result's size, and shared with threads; the result there, and out of there: 3 bytes each. */
const BYTES_PER_PIXEL = 15;
/** Pixels whose bytes every process has room for. */
const USUAL_PIXELS = 4e6;

/** Bytes of the pictures of an edit, whole. */
export function pictureBytes({ result }: EditExtent): number {
  return result === undefined
    ? 0
    : BYTES_PER_PIXEL * Math.max(result.width * result.height - USUAL_PIXELS, 0);
}

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
