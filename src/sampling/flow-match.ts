/**
 * The noise levels of diffusers' `FlowMatchEulerDiscreteScheduler` (diffusers 0.42.1,
 * `schedulers/scheduling_flow_match_euler_discrete.py`), rounded to float32 where numpy and PyTorch round.
 */
import { type SpacingName, SPACINGS } from "./spacing.ts";

export interface FlowMatchOptions {
  /** How levels bend towards noise: by a fixed factor, or by mu, which depends on the image's size. */
  shift: { kind: "fixed"; factor: number } | { kind: "exponential" | "linear"; mu: number };
  /** Level that the last step starts from, to which all levels are stretched; 0 leaves them as they are. */
  shiftTerminal: number;
  spacing: SpacingName | undefined;
  /** Ends of the spacing. @default those of the shifted levels */
  sigmaMin: number | undefined;
  sigmaMax: number | undefined;
  /** Whether levels rise to 1 instead of falling to 0. */
  isInverted: boolean;
  /** Timesteps of the training; networks are told level x timesteps / 1000. */
  numTrainTimesteps: number;
}

export interface NoiseLevels {
  /** Before each step and after the last: one more than there are steps. */
  sigmas: Float32Array;
  /** What the network is told before each step: the level where there are 1,000 training timesteps. */
  timesteps: Float32Array;
}

/** The pipelines divide timesteps by this, whatever `num_train_timesteps` is. */
const PIPELINE_TIMESTEPS = 1000;

const { fround } = Math;

/** @param straight levels before any shift, 0 to 1; the results may be no numbers if the options say so */
export function flowMatchLevels(straight: readonly number[], options: FlowMatchOptions): NoiseLevels {
  const shifted = straight.map((sigma) => shiftedLevel(fround(sigma), options.shift));
  const stretched = options.shiftTerminal === 0 ? shifted : stretch(shifted, options.shiftTerminal);
  const { spacing, sigmaMin = stretched.at(-1)!, sigmaMax = stretched[0]! } = options;
  const spaced = spacing ? SPACINGS[spacing](sigmaMax, sigmaMin, stretched.length) : stretched;
  const levels = spaced.map((sigma) => (options.isInverted ? fround(1 - fround(sigma)) : fround(sigma)));
  return {
    sigmas: Float32Array.of(...levels, options.isInverted ? 1 : 0),
    timesteps: Float32Array.from(levels, (sigma) => timestepOf(sigma, options)),
  };
}

/** What a network is told of a noise level. */
export const timestepOf = (
  sigma: number,
  { numTrainTimesteps }: Pick<FlowMatchOptions, "numTrainTimesteps">,
): number => fround(fround(sigma * numTrainTimesteps) / PIPELINE_TIMESTEPS);

function shiftedLevel(sigma: number, shift: FlowMatchOptions["shift"]): number {
  if (shift.kind === "fixed") {
    const [factor, less] = [fround(shift.factor), fround(shift.factor - 1)];
    return fround(fround(factor * sigma) / fround(1 + fround(less * sigma)));
  }
  const factor = fround(shift.kind === "exponential" ? Math.exp(shift.mu) : shift.mu);
  return fround(factor / fround(factor + fround(fround(1 / sigma) - 1)));
}

/** Moves the last level to `terminal`; pure noise stays where it is. */
function stretch(levels: readonly number[], terminal: number): number[] {
  const missing = levels.map((level) => fround(1 - level));
  const scale = fround(missing.at(-1)! / fround(1 - terminal));
  return missing.map((one) => fround(1 - fround(one / scale)));
}
