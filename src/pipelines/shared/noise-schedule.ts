/**
 * The noise levels of an edit: diffusers' `FlowMatchEulerDiscreteScheduler` as its FLUX pipelines drive it
 * (diffusers 0.42.1, `schedulers/scheduling_flow_match_euler_discrete.py`), for a mu that each pipeline has its own
 * formula for. `test/fixtures/scheduler.json` lists its fields; a test changes each of them.
 */
import { invalid, RetouchError } from "../../errors.ts";
import { flowMatchLevels, type FlowMatchOptions, type NoiseLevels } from "../../sampling/flow-match.ts";
import type { SamplerName } from "../../sampling/sampler-names.ts";
import { linspace, type SpacingName } from "../../sampling/spacing.ts";
import { Config, shownValue } from "../../weights/config.ts";

export interface ScheduleConfig extends Pick<
  FlowMatchOptions,
  "shiftTerminal" | "spacing" | "sigmaMin" | "sigmaMax" | "isInverted" | "numTrainTimesteps"
> {
  /** Fixed shift, used if the shift does not depend on the image's size. */
  shift: number;
  isDynamic: boolean;
  /** How mu bends the levels. */
  shiftKind: "exponential" | "linear";
  /** Whether every step draws new noise. */
  isStochastic: boolean;
}

/** As an edit asks for them: so many steps, or the levels that the scheduler then shifts. */
export interface WantedLevels {
  numSteps: number;
  sigmas?: readonly number[] | undefined;
}

const SPACING_FIELDS: Readonly<Record<string, SpacingName>> = {
  use_karras_sigmas: "karras",
  use_exponential_sigmas: "exponential",
  use_beta_sigmas: "beta",
};
/** The class makes an array of this many numbers; the largest that 4 GB hold. */
const MAX_TRAIN_TIMESTEPS = 1e9;

/** @throws RetouchError CHECKPOINT_INVALID naming the first field with a value that the class refuses. */
export function readScheduleConfig(given: Config): ScheduleConfig {
  const config = chosenFields(given);
  const shiftKind = config.string("time_shift_type", "exponential");
  if (shiftKind !== "exponential" && shiftKind !== "linear") {
    throw config.invalid("time_shift_type", '"exponential" or "linear"');
  }
  return {
    shift: config.number("shift", 1),
    isDynamic: flag(config, "use_dynamic_shifting"),
    shiftKind,
    shiftTerminal: config.number("shift_terminal", 0),
    spacing: spacingOf(config),
    ...endsOf(config),
    isInverted: flag(config, "invert_sigmas"),
    isStochastic: flag(config, "stochastic_sampling"),
    numTrainTimesteps: config.count("num_train_timesteps", MAX_TRAIN_TIMESTEPS, 1000),
  };
}

/** Not fields of the class, but it keeps what it does not know and then looks for these two in it. */
function endsOf(config: Config): Pick<ScheduleConfig, "sigmaMin" | "sigmaMax"> {
  const end = (name: string): number | undefined =>
    config.get(name) === undefined ? undefined : config.number(name);
  return { sigmaMin: end("sigma_min"), sigmaMax: end("sigma_max") };
}

/** A scheduler's configuration without the fields that nobody chose, which diffusers lists, and whose values it ignores. */
export function chosenFields({ file, fields }: Config): Config {
  const { _use_default_values: listed = [], ...others } = fields;
  const isKept = ([name]: [string, unknown]): boolean => !(Array.isArray(listed) && listed.includes(name));
  return new Config(file, Object.fromEntries(Object.entries(others).filter(isKept)));
}

/** Python reads 0 and 1 as false and true. */
function flag(config: Config, name: string): boolean {
  const value = config.get(name);
  if (value === 0 || value === 1) return value === 1;
  return config.boolean(name, false);
}

function spacingOf(config: Config): SpacingName | undefined {
  const chosen = Object.keys(SPACING_FIELDS).filter((name) => flag(config, name));
  if (chosen.length > 1) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, only one of ${chosen.join(" and ")} can be true.`,
    );
  }
  return SPACING_FIELDS[chosen[0] ?? ""];
}

/**
 * The samplers of second order know no step with noise of its own, and follow levels that fall.
 * @throws RetouchError INVALID_PARAMETER for a sampler that the checkpoint's scheduler excludes
 */
export function checkSampler(
  { isStochastic, isInverted }: Pick<ScheduleConfig, "isStochastic" | "isInverted">,
  sampler: SamplerName = "euler",
): void {
  if (sampler === "euler" || !(isStochastic || isInverted)) return;
  const field = isStochastic ? "stochastic_sampling" : "invert_sigmas";
  const reason = `the checkpoint's scheduler has ${field}, which only euler follows`;
  throw invalid("forbidden", { field: "sampler", given: sampler, reason });
}

/**
 * The noise level before each step and after the last, usually from 1 down to 0, and what the network is told of it.
 * @param mu exponent of the time shift, for a schedule that depends on the image's size
 * @throws RetouchError INVALID_PARAMETER if the scheduler's settings give no numbers for these steps
 */
export function noiseLevels(
  config: ScheduleConfig,
  { numSteps, sigmas }: WantedLevels,
  mu: number,
): NoiseLevels {
  const straight = sigmas ?? linspace(1, 1 / numSteps, numSteps);
  const levels = flowMatchLevels(straight, {
    ...config,
    shift: config.isDynamic ? { kind: config.shiftKind, mu } : { kind: "fixed", factor: config.shift },
  });
  if (![...levels.sigmas, ...levels.timesteps].every(Number.isFinite)) {
    const reason = "the checkpoint's scheduler gives no noise levels for it";
    throw invalid("forbidden", {
      field: sigmas ? "sigmas" : "numSteps",
      given: shownValue(sigmas ?? numSteps),
      reason,
    });
  }
  return levels;
}
