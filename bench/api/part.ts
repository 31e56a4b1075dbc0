/** What all parts of the measurement have in common. */
import type { Goal } from "../../tools/goals.ts";

export interface PartOptions {
  /** Aborts everything when the time is up. */
  signal: AbortSignal;
  /** Reports progress. */
  say: (sentence: string) => void;
}

export interface PartReport {
  measured: object;
  goals: Goal[];
}

export const BLUEBIRD = "examples/bluebird.png";
export const PROMPT = "Exact same bluebird, same angle and posture, now perched on a cloud in outer space";

/** The request that the service prints when it starts, for a server at this URL. */
export const documentedInput = (address: string): object => ({
  prompt: PROMPT,
  image: `${address}/${BLUEBIRD}`,
  negative_prompt: "",
  size: "1024*1024",
  num_inference_steps: 28,
  guidance: 2,
  seed: -1,
  output_format: "png",
  enable_safety_checker: true,
});
