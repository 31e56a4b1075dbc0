/** What an edit says about LoRAs. */
import { invalid, type RetouchError, shownValue } from "../errors.ts";

/** One of the LoRAs of an edit, of which there are at most `MAX_LORAS`. */
export interface LoraUse {
  name: string;
  /** Its strength: 1 as trained, 0 without effect, below 0 away from it. */
  scale: number;
}

export const MAX_LORAS = 4;
/** A sentence is no list. */
const MAX_NAMED = 10;
/** Of either sign. */
export const MAX_LORA_SCALE = 10;

export function unknownLora(name: string, known: readonly string[]): RetouchError {
  const others = known.length > MAX_NAMED ? ` and ${known.length - MAX_NAMED} more` : "";
  const choice =
    known.length > 0 ? `known are ${known.slice(0, MAX_NAMED).join(", ")}${others}` : "none is known here";
  return invalid("unknownLora", { field: "loras", given: shownValue(name), known: choice });
}
