/** The memory and time that an edit would take with each kind of weights, and which kind to choose. */
import {
  convertedBytes,
  fittingKinds,
  type Forecast,
  forecast,
  kindsText,
  measureGemmSpeed,
  roundedBefore,
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

export async function examineWeights({ plan, memoryLimit }: Subject): Promise<Section> {
  const limitBytes = memoryLimit ?? usableBytes(await readMachineMemory());
  const speed = await measureGemmSpeed();
  // A small network draws nothing useful at sizes it was not trained for.
  const nativeSize = Math.sqrt(plan.native.area);
  const sides = nativeSize < SIDES[0]! ? [nativeSize] : SIDES;
  const kinds = WEIGHTS_KINDS.map((kind) => {
    const edits = sides.map((side) => forecast(plan, kind, side, { limitBytes, speed }));
    return { kind, fileBytes: CONVERTED.has(kind) ? convertedBytes(plan, kind) : null, edits };
  });
  const fitting = fittingKinds(plan, { limitBytes });
  const recommended = fitting && kindsText(fitting);
  const rounded = roundedBefore(plan);
  const usual = plan.usual ?? USUAL_PASSES;
  return {
    title: `Weights: estimates for an edit of one image in ${usual.numSteps} steps${usual.isNegativeUsed ? " of two passes" : ""}`,
    name: "weights",
    lines: [
      `Of ${sizeText(limitBytes)} memory that may be used, at ${gigaflops(speed.fp32)} in float32 and ${gigaflops(speed.int8)} in 8 bits (measured now, in half a second).`,
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
      gflops: { fp32: speed.fp32 / 1e9, int8: speed.int8 / 1e9 },
      edit: { numImages: 1, ...usual },
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

function editText({ side, peakBytes, residentBytes, mappedBytes, seconds, ...edit }: Forecast): string {
  const most = edit.isResident ? residentBytes : peakBytes;
  const mapped = mappedBytes > 0 ? ` and ${sizeText(mappedBytes)} of its files` : "";
  const verdict = edit.isResident
    ? "everything stays loaded"
    : edit.isFitting
      ? "fits, in turns"
      : "does not fit";
  const isReadAgain = edit.isFitting && !edit.isCached;
  const slowness = isReadAgain ? ", but reads its files again in every step" : "";
  return `${side}x${side}: ${sizeText(most)}${mapped}, about ${timeText(seconds)}; ${verdict}${slowness}`;
}

export function timeText(seconds: number): string {
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

const gigaflops = (speed: number): string => `${Math.round(speed / 1e9)} GFLOP/s`;
