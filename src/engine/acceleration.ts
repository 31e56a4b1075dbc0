/**
 * What a request promises by `acceleration: auto` with `minPsnr`, in numbers: how many levels of 8
 * bits the reused steps may change, and what the changed levels of a finished edit are in decibels. The promise is about the picture at the network's own size, in 8
 * bits, with nothing preserved: its PSNR to what the same seed gives in float32 with every step computed.
 */
import { invalid } from "../errors.ts";
import type { ReuseBudget } from "../sampling/reuse.ts";
import type { ReuseTally } from "../sampling/sampler.ts";
import { EDIT_PARAMETERS } from "./edit-parameters.ts";
import type { Calibration } from "./calibration.ts";
import { skippedSteps } from "./mask-rules.ts";
import type { ResolvedRequest } from "./request.ts";

export type { Gain, ReuseBudget } from "../sampling/reuse.ts";
export type { ReuseTally } from "../sampling/sampler.ts";

/** What was reused in an edit. */
export interface AccelerationReport {
  /** Over all results. */
  computedSteps: number;
  reusedSteps: number;
  /**
   * What the calibration says of the least similar result, decibels; absent if every step was computed in float32, which
   * gives the picture of `acceleration: off`.
   */
  estimatedPsnr?: number | undefined;
}

/** How an edit reuses steps. */
export interface Acceleration {
  /** Absent if none may be reused. */
  budget?: ReuseBudget | undefined;
  /** What an estimated error means, in levels of 8 bits. */
  decibelsOf(error: number): number | undefined;
  /** What the user should know, as sentences. */
  notices: readonly string[];
}

export interface AccelerationFacts {
  /** Absent if the checkpoint was not calibrated. */
  calibration: Calibration | undefined;
  /** What the networks compute in, as a calibration names it. */
  arithmetic: string;
}

/**
 * So many steps are always computed: two make a line, the third one tells how it bends, and the last one corrects what went
 * before it.
 */
export const LEAST_COMPUTED = 4;
/** Of the budget, what the steps between two computed ones may use: an edit has about as many such gaps. */
const GAPS = 8;

export interface PlannedAcceleration {
  /** Absent if the edit is not to reuse steps. */
  acceleration: Acceleration | undefined;
  /** What the edit computes in. */
  arithmetic: string;
  /** Whether that is the exact one of two. */
  isExact: boolean;
}

/**
 * How an edit reuses steps, and what it computes in where the networks have a choice: what is promised decides both. An edit
 * takes the exact arithmetic if its promise leaves no room for the other, or if nobody measured what the other costs.
 * @throws RetouchError INVALID_PARAMETER if the arithmetic alone departs further from float32 than the promise allows
 */
export async function planAcceleration(
  request: AcceleratedRequest,
  {
    arithmetic,
    exactArithmetic,
    calibration: find,
  }: {
    arithmetic: string;
    exactArithmetic?: string | undefined;
    calibration: () => Promise<Calibration | undefined>;
  },
): Promise<PlannedAcceleration> {
  if (request.acceleration !== "auto") return { acceleration: undefined, arithmetic, isExact: false };
  const calibration = await find();
  const loss = calibration && (calibration.arithmetic[arithmetic] ?? Infinity);
  const { minPsnr = EDIT_PARAMETERS.minPsnr.default } = request;
  const isExact = exactArithmetic !== undefined && loss !== undefined && loss >= levelsOf(minPsnr);
  const chosen = isExact ? exactArithmetic : arithmetic;
  const acceleration = chooseAcceleration(request, { calibration, arithmetic: chosen });
  return { acceleration, arithmetic: chosen, isExact };
}

/** @throws RetouchError INVALID_PARAMETER if the arithmetic alone departs further from float32 than the promise allows */
export function chooseAcceleration(
  request: AcceleratedRequest,
  { calibration, arithmetic }: AccelerationFacts,
): Acceleration | undefined {
  const { acceleration, minPsnr = EDIT_PARAMETERS.minPsnr.default, loras, sampler = "euler" } = request;
  if (acceleration !== "auto") return undefined;
  const numSteps = request.numSteps - skippedSteps(request);
  const isTooShort = numSteps <= LEAST_COMPUTED;
  const loss = calibration?.arithmetic[arithmetic];
  if (calibration === undefined || loss === undefined) {
    // Where there is nothing to gain, nobody needs a calibration.
    if (isTooShort) return computed(nothingToGain(numSteps));
    return computed(calibration === undefined ? NOT_CALIBRATED : notMeasured(arithmetic));
  }
  if (loras.length > 0) return computed(WITH_LORAS);
  if (sampler !== "euler") return computed(ofSampler(sampler));
  const allowed = levelsOf(minPsnr) - loss;
  if (!(allowed > 0)) {
    const reason = `computing in ${arithmetic} alone departs from float32 by about ${shown(decibelsOf(loss))} dB`;
    throw invalid("forbidden", { field: "minPsnr", given: minPsnr, reason });
  }
  const ofError = (error: number): number | undefined => {
    const levels = loss + error;
    return levels === 0 ? undefined : decibelsOf(levels);
  };
  if (isTooShort) return { decibelsOf: ofError, notices: [nothingToGain(numSteps)] };
  const budget = { total: allowed, perGap: allowed / GAPS, gains: calibration.gains };
  return { budget, decibelsOf: ofError, notices: [] };
}

type AcceleratedRequest = Pick<
  ResolvedRequest,
  "acceleration" | "minPsnr" | "numSteps" | "sampler" | "strength" | "loras"
>;

const computed = (notice: string): Acceleration => ({ decibelsOf: () => undefined, notices: [notice] });

/** @param images tallies of the results; those that took no part have none */
export function accelerationReport(
  { decibelsOf: of }: Acceleration,
  images: readonly (ReuseTally | undefined)[],
  numSteps: number,
): AccelerationReport {
  const tallies = images.map((tally) => tally ?? { computedSteps: numSteps, reusedSteps: 0, error: 0 });
  const sum = (value: (tally: ReuseTally) => number): number =>
    tallies.reduce((total, tally) => total + value(tally), 0);
  const estimated = of(Math.max(...tallies.map(({ error }) => error)));
  return {
    computedSteps: sum(({ computedSteps }) => computedSteps),
    reusedSteps: sum(({ reusedSteps }) => reusedSteps),
    estimatedPsnr: estimated === undefined ? undefined : shown(estimated),
  };
}

/** Variance of rounding one of two pictures to whole levels twice, beyond one level of difference. */
const ROUNDING = 1 / 6;
const WHITE = 255;

/**
 * PSNR of two pictures in 8 bits that differ by `levels` before they are rounded, root mean square: differences below a
 * level turn as many pixels by one, and larger ones gain the variance of rounding.
 */
export const decibelsOf = (levels: number): number =>
  10 * Math.log10(WHITE ** 2 / (levels ** 2 + Math.min(levels, ROUNDING)));

/** The difference before rounding that leads to a PSNR: the inverse of {@link decibelsOf}. */
export function levelsOf(decibels: number): number {
  const square = WHITE ** 2 / 10 ** (decibels / 10);
  const isLarge = square > ROUNDING ** 2 + ROUNDING;
  return isLarge ? Math.sqrt(square - ROUNDING) : (Math.sqrt(1 + 4 * square) - 1) / 2;
}

/** Rounded down to a tenth. */
const shown = (decibels: number): number => Math.floor(decibels * 10) / 10;

const NOT_CALIBRATED =
  "Every step was computed, because this checkpoint has not been calibrated: run `retouch calibrate` once.";
const WITH_LORAS =
  "Every step was computed, because LoRAs change the network, and the calibration is that of the checkpoint alone.";
const ofSampler = (sampler: string): string =>
  `Every step was computed, because steps can only be skipped with the sampler euler, not with ${sampler}.`;
const notMeasured = (arithmetic: string): string =>
  `Every step was computed, because the calibration of this checkpoint knows nothing of ${arithmetic}: \`retouch calibrate\` with the same options measures it.`;
const nothingToGain = (numSteps: number): string =>
  `Acceleration has nothing to gain here: of ${numSteps === 1 ? "one step" : `${numSteps} steps`} none can be reused.`;

/** What is said of an edit whose steps could not be reused though there was a budget. */
export const DRAWS_NOISE =
  "Every step was computed, because the steps of this checkpoint's scheduler draw new noise.";
