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
}

/** The edit that memory is planned for up front: the defaults and a negative prompt, at the native size. */
export function usualEdit({ area }: NativeScale): EditExtent {
  return { ...squareEdit(Math.sqrt(area)), isNegativeUsed: true };
}

/** An edit of one square image, `side` pixels wide, without a negative prompt. */
export function squareEdit(side: number): EditExtent {
  const size = { width: side, height: side };
  return {
    target: size,
    references: [size],
    numSteps: EDIT_PARAMETERS.numSteps.default,
    isNegativeUsed: false,
  };
}
