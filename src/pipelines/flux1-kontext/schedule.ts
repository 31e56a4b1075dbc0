/** The noise levels of an edit, with the shift of `FluxKontextPipeline`: mu is linear in the target's tokens. */
import { RetouchError } from "../../errors.ts";
import type { NoiseLevels } from "../../sampling/flow-match.ts";
import type { Config } from "../../weights/config.ts";
import {
  chosenFields,
  noiseLevels,
  readScheduleConfig as readShared,
  type ScheduleConfig as SharedConfig,
  type WantedLevels,
} from "../shared/noise-schedule.ts";

export interface ScheduleConfig extends SharedConfig {
  /** mu at `baseTokens` and at `maxTokens` target tokens; linear between and beyond. */
  baseShift: number;
  maxShift: number;
  baseTokens: number;
  maxTokens: number;
}

/** @throws RetouchError CHECKPOINT_INVALID naming the first field with a value that the class refuses. */
export function readScheduleConfig(given: Config): ScheduleConfig {
  const config = chosenFields(given);
  const baseTokens = config.number("base_image_seq_len", 256);
  const maxTokens = config.number("max_image_seq_len", 4096);
  if (baseTokens === maxTokens) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, base_image_seq_len and max_image_seq_len must differ; both are ${maxTokens}.`,
    );
  }
  return {
    ...readShared(given),
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
 * As {@link noiseLevels}.
 * @param numTokens tokens of the target, without the reference
 */
export const levelsOf = (config: ScheduleConfig, wanted: WantedLevels, numTokens: number): NoiseLevels =>
  noiseLevels(config, wanted, timeShift(config, numTokens));
