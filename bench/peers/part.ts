/** What the parts of the comparison are given. */
import type { Options } from "./options.ts";

export interface Bench extends Options {
  checkpoint: string;
  /** For everything that is written. */
  scratch: string;
  /** Made on first use: a part that needs none of it does not fail where it cannot be made. */
  python(): string;
  /** A checkout of the revision before, built on first use. */
  baseline(): string;
  signal: AbortSignal;
  say(sentence: string): void;
}

export const PROMPT = "Exact same bluebird, same angle and posture, now perched on a cloud in outer space";
export const SEED = 1;
export const GUIDANCE = 2;
