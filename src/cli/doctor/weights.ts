/** The memory and time that an edit would take with each kind of weights, and which kind to choose. */
import {
  convertedBytes,
  fittingKinds,
  type Forecast,
  forecast,
  type ForecastDevice,
  type ForecastTime,
  kindsText,
  type MeasuredDevice,
  roundedBefore,
  squareEdit,
  USUAL_PASSES,
  type WeightsKind,
  WEIGHTS_KINDS,
} from "../../index.ts";
import { readMachineMemory, usableBytes } from "../../machine/memory.ts";
import { sizeText } from "../../machine/size-text.ts";
import type { Section, Subject } from "./section.ts";

/** Sides of square images, in pixels. */
const SIDES = [512, 1024];
/** Kinds converted into their own file; the checkpoint itself usually has 16 bits. */
const CONVERTED: ReadonlySet<WeightsKind> = new Set(["int8", "int4"]);

/** @param measured estimates are made for those of them whose speed is known */
export async function examineWeights(
  { plan, memoryLimit, images: numImages = 1 }: Subject,
  measured: readonly MeasuredDevice[],
): Promise<Section> {
  const limitBytes = memoryLimit ?? usableBytes(await readMachineMemory());
  const usual = plan.usual ?? USUAL_PASSES;
  const devices = measured.flatMap(forecastDevice);
  // A small network draws nothing useful at sizes it was not trained for.
  const nativeSize = Math.sqrt(plan.native.area);
  const sides = nativeSize < SIDES[0]! ? [nativeSize] : SIDES;
  const kinds = WEIGHTS_KINDS.map((kind) => {
    const edits = sides.map((side) =>
      forecast(plan, kind, squareEdit(side, usual, numImages), { limitBytes, devices }),
    );
    return { kind, fileBytes: CONVERTED.has(kind) ? convertedBytes(plan, kind) : null, edits };
  });
  const fitting = fittingKinds(plan, { limitBytes });
  const recommended = fitting && kindsText(fitting);
  const rounded = roundedBefore(plan);
  return {
    title: `Weights: estimates for an edit of ${imagesText(numImages)} in ${usual.numSteps} steps${usual.isNegativeUsed ? " of two passes" : ""}`,
    name: "weights",
    lines: [
      `Of ${sizeText(limitBytes)} memory that may be used, at the speeds above, which were measured now.`,
      ...kinds.flatMap(({ kind, fileBytes, edits }) =>
        edits.map((edit, index) => {
          const disk =
            index === 0 && fileBytes !== null ? `; a file of ${sizeText(fileBytes)} on the disk` : "";
          return [index === 0 ? kind : "", editText(edit) + disk] as const;
        }),
      ),
      recommended === undefined
        ? nothingText(
            kinds.flatMap(({ edits }) => edits),
            nativeSize,
          )
        : `Without --weights, ${recommended} is taken: the most bits that fit, float32 only where all stays loaded.`,
      ...(rounded.length > 0
        ? [
            `Weights of a GGUF file (${rounded.join(", ")}) were rounded before: without --weights they stay in 16 bits at least.`,
          ]
        : []),
    ],
    facts: {
      limitBytes,
      edit: { numImages, ...usual },
      kinds,
      recommended,
    },
  };
}

/** What to do where no kind is chosen: at a smaller size, or in 16 bits, some may fit all the same. */
function nothingText(edits: readonly Forecast[], nativeSize: number): string {
  const side = Math.round(nativeSize);
  if (edits.some(({ isFitting }) => isFitting)) {
    return `Without --weights, nothing fits an edit of ${side}x${side}; --weights takes what fits above.`;
  }
  return `Nothing fits: ${sizeText(Math.min(...edits.map(({ peakBytes }) => peakBytes)))} are the least.`;
}

const forecastDevice = ({ device, speed }: MeasuredDevice): ForecastDevice[] =>
  speed === undefined ? [] : [{ device, speed }];

const imagesText = (count: number): string =>
  count === 0 ? "no image" : count === 1 ? "one image" : `${count} images`;

function editText({ size, peakBytes, residentBytes, mappedBytes, times, ...edit }: Forecast): string {
  const most = edit.isResident ? residentBytes : peakBytes;
  const mapped = mappedBytes > 0 ? ` and ${sizeText(mappedBytes)} of its files` : "";
  const verdict = edit.isResident
    ? "everything stays loaded"
    : edit.isFitting
      ? "fits, in turns"
      : "does not fit";
  const isReadAgain = edit.isFitting && !edit.isCached;
  const slowness = isReadAgain ? ", but reads its files again in every step" : "";
  const duration = times.map((time) => `, ${durationText(time, times.length > 1)}`).join("");
  return `${size.width}x${size.height}: ${sizeText(most)}${mapped}${duration}; ${verdict}${slowness}`;
}

/** @param isNamed whether there are several devices to tell apart */
function durationText({ device, seconds, loadSeconds }: ForecastTime, isNamed: boolean): string {
  const where = isNamed ? ` on ${device}` : "";
  if (seconds === null) return `no estimate${where}`;
  const loading = loadSeconds < 1 ? "" : ` once loaded in ${timeText(loadSeconds)}`;
  return `about ${timeText(seconds)}${where}${loading}`;
}

export function timeText(seconds: number): string {
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
