/**
 * Calibrates a checkpoint for `acceleration`: makes edits with every step computed in float32, then the same with steps
 * reused at some noise levels only, and sees how much of the picture the estimated error stands for.
 */
import { decodePicture } from "../images/decode.ts";
import { userCacheFolder } from "../machine/cache-folder.ts";
import type { Gain, ReuseBudget } from "../sampling/reuse.ts";
import { RetouchError } from "../errors.ts";
import { throwIfAborted } from "./abort.ts";
import { psnrOf } from "../images/psnr.ts";
import { levelsOf } from "./acceleration.ts";
import { type Calibration, EXACT, findCalibration, keepCalibration } from "./calibration.ts";
import { createEngine, type Engine, type EngineOptions } from "./engine.ts";
import { type EditRequest, imagesOf, type Size } from "./request.ts";
import { resultSizeOf, targetSize } from "./sizes.ts";

/** What {@link calibrate} measures, and with what. */
export interface CalibrateOptions extends Omit<
  EngineOptions,
  "maxPixels" | "safety" | "loras" | "isPromptInMetadata" | "isMemoryReturned"
> {
  /** At least {@link LEAST_EDITS}, with seeds. What they preserve, and their format, does not count. */
  edits: readonly EditRequest[];
  /** Called before each edit. */
  onEdit?: ((progress: { edit: number; of: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** What a calibration is drawn from at least: of fewer, no share of 99 % can be told. */
export const LEAST_EDITS = 20;

/**
 * Noise levels that are looked at apart, each down to the next, and the error that steps may make there, root mean square of
 * the latents: enough to be seen in the picture, and little enough to stay what an edit makes.
 */
const BANDS = [
  { downTo: 0.9, perGap: 0.001 },
  { downTo: 0.8, perGap: 0.002 },
  { downTo: 0.6, perGap: 0.005 },
  { downTo: 0, perGap: 0.012 },
] as const;
/** Where that reuses no step in any edit, as with few steps, it is so many times as much. */
const FACTORS = [1, 10, 100] as const;
/** Levels below which a difference is that of rounding alone. */
const LEAST_LEVELS = 0.02;
/** What is put on the worst edit that was seen. */
const MARGIN = 1.25;
/** For noise levels at which no step could be reused: none ever is. */
const NEVER = 1e9;

/**
 * Makes the edits and keeps what came of them, together with what an earlier calibration knows of other arithmetic.
 * @throws RetouchError INVALID_PARAMETER for too few edits; else as `createEngine` and `Engine.edit` do
 */
export async function calibrate(
  options: CalibrateOptions,
): Promise<{ calibration: Calibration; file: string }> {
  const { edits, onEdit, signal, weights, device, computeType, ...common } = options;
  if (edits.length < LEAST_EDITS) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `A calibration takes at least ${LEAST_EDITS} edits, and there are ${edits.length}.`,
    );
  }
  const cacheFolder = options.cacheFolder ?? userCacheFolder();
  const safety = { isOn: false };
  const exact = await createEngine({ ...common, cacheFolder, weights: "fp32", device: "cpu", safety });
  const measured: Measured[] = [];
  const of = edits.length;
  let arithmetic: string = EXACT;
  const losses: number[] = [];
  try {
    const checkpoint = await exact.digest();
    const truths: Truth[] = [];
    for (const [index, edit] of edits.entries()) {
      throwIfAborted(signal);
      onEdit?.({ edit: index + 1, of });
      const request = await requestOf(exact, edit);
      const { pixels } = await drawn(exact, request, undefined, signal);
      const truth = { request, pixels };
      truths.push(truth);
      measured.push(...(await bandsOf(exact, truth, { bands: BANDS.keys(), factor: 1, signal })));
    }
    for (const factor of FACTORS.slice(1)) {
      const bands = [...BANDS.keys()].filter(
        (band) => !measured.some((one) => one.band === band && one.error > 0),
      );
      if (bands.length === 0) break;
      for (const [index, truth] of truths.entries()) {
        onEdit?.({ edit: index + 1, of });
        measured.push(...(await bandsOf(exact, truth, { bands, factor, signal })));
      }
    }
    const before = await findCalibration(cacheFolder, checkpoint);
    const chosen = await createEngine({ ...common, cacheFolder, weights, device, computeType, safety });
    try {
      ({ arithmetic } = chosen);
      if (arithmetic !== EXACT) {
        for (const [index, { request, pixels }] of truths.entries()) {
          onEdit?.({ edit: index + 1, of });
          losses.push(levelsBetween(pixels, (await drawn(chosen, request, undefined, signal)).pixels));
        }
      }
    } finally {
      await chosen.close();
    }
    const calibration: Calibration = {
      checkpoint,
      edits: of,
      gains: gainsOf(measured),
      arithmetic: {
        ...before?.arithmetic,
        [EXACT]: 0,
        ...(losses.length > 0 && { [arithmetic]: MARGIN * Math.max(...losses) }),
      },
    };
    return { calibration, file: await keepCalibration(cacheFolder, calibration) };
  } finally {
    await exact.close();
  }
}

/** One edit with steps reused in one band of noise levels. */
export interface Measured {
  band: number;
  /** As the steps estimate it, root mean square of the latents; 0 if none was reused. */
  error: number;
  /** By how much the picture differs. */
  levels: number;
}

interface Truth {
  request: EditRequest;
  pixels: Uint8Array;
}

/** For each band a gain that holds for nearly every edit. */
export function gainsOf(measured: readonly Measured[]): Gain[] {
  return BANDS.map(({ downTo }, band) => {
    const ratios = measured
      .filter((one) => one.band === band && one.error > 0)
      .map(({ error, levels }) => Math.max(levels, LEAST_LEVELS) / error);
    return { downTo, gain: ratios.length === 0 ? NEVER : MARGIN * Math.max(...ratios) };
  });
}

async function bandsOf(
  engine: Engine,
  { request, pixels: truth }: Truth,
  { bands, factor, signal }: { bands: Iterable<number>; factor: number; signal: AbortSignal | undefined },
): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const band of bands) {
    const perGap = factor * BANDS[band]!.perGap;
    const gains = BANDS.map(({ downTo }, index) => ({ downTo, gain: index === band ? 1 : Infinity }));
    const budget = { total: Infinity, perGap, gains };
    const { pixels, error } = await drawn(engine, request, budget, signal);
    measured.push({ band, error, levels: error === 0 ? 0 : levelsBetween(truth, pixels) });
  }
  return measured;
}

/** An edit at the network's own size, of which nothing is preserved. */
async function requestOf({ checkpoint }: Engine, edit: EditRequest): Promise<EditRequest> {
  const { nativeArea: area, grid, isSmallKept } = checkpoint.scale;
  const [first] = imagesOf(edit);
  const source = first && (await decodePicture(first));
  const wanted = typeof edit.size === "string" ? undefined : edit.size;
  const size = drawnSize(resultSizeOf(source, wanted, { area }), { area, grid, isSmallKept });
  const {
    acceleration: _,
    minPsnr: __,
    preserve: ___,
    isUnchangedKept: ____,
    isMaskWanted: _____,
    ...rest
  } = edit;
  return { ...rest, size, format: "png", background: "opaque", numImages: 1 };
}

/** The size at which the network draws a result of this size: nothing is enlarged. */
function drawnSize(wanted: Size, native: Parameters<typeof targetSize>[1]): Size {
  const { content } = targetSize(wanted, native);
  // Rounding can leave a size just above the native area, which would be reduced once more.
  return content.width === wanted.width && content.height === wanted.height
    ? content
    : drawnSize(content, native);
}

async function drawn(
  engine: Engine,
  request: EditRequest,
  reuse: ReuseBudget | undefined,
  signal: AbortSignal | undefined,
): Promise<{ pixels: Uint8Array; error: number }> {
  const { image, results } = await engine.edit(request, { signal, reuse });
  const { data } = await decodePicture(image);
  return { pixels: data, error: results[0]!.reuse?.error ?? 0 };
}

/** How far two pictures differed before they were rounded to 8 bits, root mean square. */
export function levelsBetween(one: Uint8Array, other: Uint8Array): number {
  const decibels = psnrOf(one, other);
  return decibels === Infinity ? 0 : levelsOf(decibels);
}
