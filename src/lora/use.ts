/** How an edit specifies LoRAs. */
import { invalid, type RetouchError, shownValue } from "../errors.ts";

/** One of an edit's LoRAs, of which there are at most `MAX_LORAS`. */
export interface LoraUse {
  name: string;
  /** Its strength: 1 as trained, 0 for no effect, below 0 for the opposite effect. */
  scale: number;
}

export const MAX_LORAS = 4;
/** The most names that a sentence lists. */
const MAX_NAMED = 10;
/** The largest scale, of either sign. */
export const MAX_LORA_SCALE = 10;

/** The error about a LoRA that is not among those an engine has. */
export function unknownLora(name: string, known: readonly string[]): RetouchError {
  const others = known.length > MAX_NAMED ? ` and ${known.length - MAX_NAMED} more` : "";
  const choice =
    known.length > 0 ? `known are ${known.slice(0, MAX_NAMED).join(", ")}${others}` : "none is known here";
  return invalid("unknownLora", { field: "loras", given: shownValue(name), known: choice });
}
