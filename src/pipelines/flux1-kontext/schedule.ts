/**
 * The noise levels of an edit: diffusers' `FlowMatchEulerDiscreteScheduler` as the FLUX pipelines drive it
 * (diffusers 0.42.1, `schedulers/scheduling_flow_match_euler_discrete.py`).
 */
import { RetouchError } from "../../errors.ts";
import { type Config, shownValue } from "../../weights/config.ts";

export interface ScheduleConfig {
  /** Fixed shift, used if the shift does not depend on the image's size. */
  shift: number;
  isDynamic: boolean;
  /** mu at `baseTokens` and at `maxTokens` target tokens; linear between and beyond. */
  baseShift: number;
  maxShift: number;
  baseTokens: number;
  maxTokens: number;
}

/** Settings that would change the schedule and are not implemented, with the values that leave it unchanged. */
const UNSUPPORTED_UNLESS: Readonly<Record<string, readonly unknown[]>> = {
  use_karras_sigmas: [false],
  use_exponential_sigmas: [false],
  use_beta_sigmas: [false],
  invert_sigmas: [false],
  stochastic_sampling: [false],
  shift_terminal: [0],
  time_shift_type: ["exponential"],
  _class_name: ["FlowMatchEulerDiscreteScheduler"],
};

/** @throws RetouchError CHECKPOINT_UNSUPPORTED naming the first setting that is not implemented. */
export function readScheduleConfig(config: Config): ScheduleConfig {
  for (const [name, harmless] of Object.entries(UNSUPPORTED_UNLESS)) {
    const value = config.get(name);
    if (value !== undefined && !harmless.includes(value)) {
      throw new RetouchError(
        "CHECKPOINT_UNSUPPORTED",
        `In ${config.file}, ${name} is ${shownValue(value)}, which is not implemented.`,
      );
    }
  }
  const baseTokens = config.number("base_image_seq_len", 256);
  const maxTokens = config.number("max_image_seq_len", 4096);
  if (baseTokens === maxTokens) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, base_image_seq_len and max_image_seq_len must differ; both are ${maxTokens}.`,
    );
  }
  return {
    shift: config.number("shift", 1),
    isDynamic: config.boolean("use_dynamic_shifting", false),
    baseShift: config.number("base_shift", 0.5),
    maxShift: config.number("max_shift", 1.15),
    baseTokens,
    maxTokens,
  };
}

/** mu, the exponent of the time shift: more tokens hide noise better, so larger images get more of it for longer. */
export function timeShift(config: ScheduleConfig, numTokens: number): number {
  const slope = (config.maxShift - config.baseShift) / (config.maxTokens - config.baseTokens);
  return numTokens * slope + (config.baseShift - slope * config.baseTokens);
}

/**
 * The noise level before each step and after the last: from 1 down to 0, `numSteps` + 1 numbers.
 * @param numTokens tokens of the target, without the reference
 */
export function sigmasOf(config: ScheduleConfig, numSteps: number, numTokens: number): Float32Array {
  // exp(mu) and a fixed shift bend the straight line in the same way.
  const shift = config.isDynamic ? Math.exp(timeShift(config, numTokens)) : config.shift;
  const sigmas = new Float32Array(numSteps + 1);
  for (let step = 0; step < numSteps; step += 1) {
    const straight = Math.fround(1 - (step / Math.max(1, numSteps - 1)) * (1 - 1 / numSteps));
    sigmas[step] = config.isDynamic
      ? shift / (shift + (1 / straight - 1))
      : (shift * straight) / (1 + (shift - 1) * straight);
  }
  return sigmas;
}
