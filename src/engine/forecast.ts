/** What can be said of a checkpoint and of edits with it before any network is loaded: `retouch doctor` prints it. */
import type { GemmSpeed } from "../runtime/gemm-speed.ts";
import { Checkpoint, type SingleFiles } from "../weights/checkpoint.ts";
import { WeightSet } from "../weights/weight-set.ts";
import { readNetworks } from "../pipelines/flux1-kontext/checkpoint-networks.ts";
import { attentionFlopsPerStep, flopsPerStep } from "../models/flops.ts";
import {
  COMPONENTS,
  type ComponentName,
  fileBytes,
  isResident,
  type NetworkSizes,
  planMemory,
  tokensOf,
  type WeightsKind,
} from "./memory-plan.ts";
import { Networks } from "../pipelines/flux1-kontext/networks.ts";
import { modulationParameters, t5Parameters, totalOf, transformerParameters } from "../models/parameters.ts";

export interface Forecast {
  kind: WeightsKind;
  /** Of the square picture, in pixels. */
  side: number;
  /** The least that it can do with, and with everything loaded. */
  peakBytes: number;
  residentBytes: number;
  /** Of files that the system has in memory while there is room for them. */
  mappedBytes: number;
  isFitting: boolean;
  isResident: boolean;
  /** Whether there is room for those files beside the rest. */
  isCached: boolean;
  seconds: number;
}

/** What the command line defaults to. */
const NUM_STEPS = 28;

/**
 * Reads the sizes of a checkpoint's networks, and holds all of its weights against them.
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED
 */
export async function readNetworkSizes(folder: string, files: SingleFiles = {}): Promise<NetworkSizes> {
  const networks = await readNetworks(await Checkpoint.open(folder, files));
  const { sizes, transformer, encoders } = networks;
  // A GGUF file was held against the sizes when it was read; the others are as their graphs are built.
  const isBuilt = [transformer.weights, encoders.t5.weights].every((weights) => weights instanceof WeightSet);
  // Where no memory may be used, nothing is loaded.
  if (isBuilt) await Networks.build(networks, { threads: 0 }, { limitBytes: 0 });
  return sizes;
}

/** Weights of each network. */
export function parametersOf(sizes: NetworkSizes): Record<ComponentName, number> {
  const { components } = planMemory(sizes, "fp32", extentOf(sizes.autoencoder.sampleSize), Infinity);
  return Object.fromEntries(COMPONENTS.map((name) => [name, components[name].parameters])) as Record<
    ComponentName,
    number
  >;
}

/** Bytes of a file with transformer and T5 in this kind. */
export function convertedBytes({ flux, t5 }: NetworkSizes, kind: WeightsKind): number {
  return (
    fileBytes(transformerParameters(flux), kind) +
    fileBytes(modulationParameters(flux), kind === "int4" ? "int8" : kind) +
    fileBytes(t5Parameters(t5), kind)
  );
}

/** Estimates an edit of a square picture, without a negative prompt. */
export function forecast(
  sizes: NetworkSizes,
  kind: WeightsKind,
  side: number,
  { limitBytes, speed }: { limitBytes: number; speed: GemmSpeed },
): Forecast {
  const plan = planMemory(sizes, kind, extentOf(side), limitBytes);
  const mappedBytes = Math.max(...COMPONENTS.map((name) => plan.components[name].mappedBytes));
  return {
    kind,
    side,
    peakBytes: plan.peakBytes,
    residentBytes: plan.residentBytes,
    mappedBytes,
    isCached: mappedBytes + plan.peakBytes <= limitBytes,
    isFitting: plan.peakBytes <= limitBytes,
    isResident: isResident(plan, limitBytes),
    seconds: secondsOf(sizes, kind, side, speed),
  };
}

/** All matrix products of an edit at the measured speeds; attention is float32 whatever the weights are. */
function secondsOf(sizes: NetworkSizes, kind: WeightsKind, side: number, speed: GemmSpeed): number {
  const images = tokensOf({ width: side, height: side }, sizes.autoencoder);
  const tokens = { text: sizes.t5Length, target: images, reference: images };
  const attention = NUM_STEPS * attentionFlopsPerStep(sizes.flux, tokens);
  const steps = NUM_STEPS * flopsPerStep(sizes.flux, tokens) - attention;
  const text = 2 * sizes.t5Length * totalOf(t5Parameters(sizes.t5));
  const ofWeights = kind === "int8" || kind === "int4" ? speed.int8 : speed.fp32;
  return (steps + text) / ofWeights + attention / speed.fp32;
}

function extentOf(side: number) {
  const size = { width: side, height: side };
  return { target: size, reference: size, numSteps: NUM_STEPS, isNegativeUsed: false };
}
