/**
 * How much memory an edit takes, before anything is loaded: from the networks' sizes alone. Weights are counted; what a
 * network needs while it runs is taken as a multiple of its largest layer, by what was measured
 * (`test/kontext/memory-plan.test.ts` measures again).
 */
import type { AutoencoderConfig } from "../models/autoencoders/autoencoder-kl.ts";
import { MLP_RATIO } from "../models/transformers/flux.ts";
import type { FluxConfig } from "../models/transformers/flux-config.ts";
import { modulationSize } from "../models/transformers/flux-modulation.ts";
import type { T5Sizes } from "../models/text-encoders/t5.ts";
import { WEIGHT_KINDS } from "../weights/converted.ts";
import {
  type ClipSizes,
  clipParameters,
  decoderParameters,
  encoderParameters,
  modulationParameters,
  type ParameterCount,
  t5Parameters,
  totalOf,
  transformerParameters,
} from "../models/parameters.ts";
import type { Size } from "./request.ts";

/** Sizes of all networks of a checkpoint. */
export interface NetworkSizes {
  flux: FluxConfig;
  autoencoder: AutoencoderConfig;
  clip: ClipSizes;
  t5: T5Sizes;
  /** Tokens of a text. */
  clipLength: number;
  t5Length: number;
}

/** What the weights of transformer and T5 are in memory. All else is small, and float32. */
export const WEIGHTS_KINDS = ["fp32", ...WEIGHT_KINDS] as const;
export type WeightsKind = (typeof WEIGHTS_KINDS)[number];

/** A kind for each of the large networks. */
export interface NetworkKinds {
  transformer: WeightsKind;
  t5: WeightsKind;
}

/** In the order in which an edit needs them. */
export const COMPONENTS = ["clip", "t5", "encoder", "modulation", "transformer", "decoder"] as const;
export type ComponentName = (typeof COMPONENTS)[number];

/** What of an edit memory depends on. */
export interface EditExtent {
  /** Pixels that the network draws and sees. */
  target: Size;
  reference: Size;
  numSteps: number;
  /** Whether there is a second pass a step. */
  isNegativeUsed: boolean;
  /** Of LoRAs while they are used. @default 0 */
  loraBytes?: number | undefined;
}

export interface ComponentNeeds {
  parameters: number;
  /** Of its weights: memory of the process. */
  privateBytes: number;
  /** Of its weights: pages of its files, which the system can drop and read again. */
  mappedBytes: number;
  /** On top of it while it runs. */
  workingBytes: number;
}

export interface MemoryPlan {
  components: Readonly<Record<ComponentName, ComponentNeeds>>;
  /** Side of the tiles, in pixels, that the autoencoder works in; absent where it takes pictures whole. */
  tileSide?: number | undefined;
  /** Taken from the first step to the last, whatever is loaded. */
  heldBytes: number;
  /** The least that an edit can do with: one network at a time. */
  peakBytes: number;
  /** With every network loaded. */
  residentBytes: number;
}

const USUAL_STEPS = 28;
const FLOAT = 4;
const MB = 2 ** 20;
/** Node, the picture before and after, and the safety checker: an edit with the smallest checkpoint takes less. */
const PROCESS_BYTES = 200 * MB;
/** Of the runtime, for a network of no size. */
const SESSION_BYTES = 16 * MB;
/** Rows [tokens, width] of float32 that a block of the transformer holds at its fullest moment. */
const TRANSFORMER_ROWS = 17;
/**
 * Planes of float32 at full resolution, in widths of the widest residual block: a decoder's norm and convolution hold
 * four, an encoder's three; regions of the runtime's memory are powers of two, which adds up to half.
 */
const DECODER_PLANES = 5;
const ENCODER_PLANES = 4;
/** Of the limit, what the autoencoder may take before it works in tiles. */
const AUTOENCODER_SHARE = 1 / 4;
/** Largest first; what lies in a tile's middle must see something around it. */
const TILE_SIDES = [1024, 512, 256];
const COLOURS = 3;
/** Of the pixels in float32: the runtime's, and those that tiles are put together in. */
const PIXEL_COPIES = 2;
/** Of the limit, what networks may take together; one alone may take all of it. */
export const SHARED_SHARE = 3 / 4;

/**
 * Bytes of a matrix's weight. The runtime copies what it multiplies into an order of its own, unless it is kept in 16
 * bits: then it stays in its file, and is widened layer by layer.
 */
interface Storage {
  private: number;
  mapped: number;
}
const PLAIN: Storage = { private: 4, mapped: 0 };
const HALF: Storage = { private: 0, mapped: 2 };
const BLOCK = 128;
const INT8: Storage = { private: 1 + FLOAT / BLOCK, mapped: 0 };
const INT4: Storage = { private: 1 / 2 + FLOAT / BLOCK, mapped: 0 };
const MATRICES: Readonly<Record<WeightsKind, Storage>> = {
  fp32: PLAIN,
  fp16: HALF,
  bf16: HALF,
  int8: INT8,
  int4: INT4,
};

/**
 * @param kinds of the large networks, or the one of both
 * @param limitBytes what the process may take; decides whether the autoencoder works in tiles
 */
export function planMemory(
  sizes: NetworkSizes,
  kinds: WeightsKind | NetworkKinds,
  edit: EditExtent,
  limitBytes: number,
): MemoryPlan {
  const { flux, autoencoder } = sizes;
  const { transformer: kind, t5: t5Kind } =
    typeof kinds === "string" ? { transformer: kinds, t5: kinds } : kinds;
  const tileSide = tileSideOf(autoencoder, edit, limitBytes);
  const [drawn, seen] = [areaOf(edit.target, tileSide), areaOf(edit.reference, tileSide)];
  const modulationBytes = edit.numSteps * modulationSize(flux) * FLOAT;
  const width = flux.numHeads * flux.headSize;
  const modulationNeeds = { workingBytes: 2 * modulationBytes, layerWeights: 6 * width * width };
  const components: MemoryPlan["components"] = {
    clip: needs(clipParameters(sizes.clip), "fp32", textNeeds(sizes.clip, sizes.clipLength)),
    t5: needs(t5Parameters(sizes.t5), t5Kind, textNeeds(sizes.t5, sizes.t5Length)),
    encoder: needs(encoderParameters(autoencoder), "fp32", { workingBytes: encoderBytes(autoencoder, seen) }),
    // Noise levels tell more from less by a thousandth: 8 bits are the least.
    modulation: needs(modulationParameters(flux), kind === "int4" ? "int8" : kind, modulationNeeds),
    transformer: needs(transformerParameters(flux), kind, transformerNeeds(sizes, edit)),
    decoder: needs(decoderParameters(autoencoder), "fp32", {
      workingBytes: decoderBytes(autoencoder, drawn),
    }),
  };
  const all = Object.values(components);
  const heldBytes = PROCESS_BYTES + (edit.isNegativeUsed ? 2 : 1) * modulationBytes + (edit.loraBytes ?? 0);
  const largest = (values: readonly number[]): number => Math.max(...values);
  return {
    components,
    tileSide,
    heldBytes,
    peakBytes: heldBytes + largest(all.map((one) => one.privateBytes + one.workingBytes)),
    residentBytes:
      heldBytes +
      all.reduce((sum, { privateBytes }) => sum + privateBytes, 0) +
      largest(all.map(({ workingBytes }) => workingBytes)),
  };
}

/** What memory is planned for before an edit is asked for: the defaults and a negative prompt, at the native size. */
export function usualEdit({ sampleSize }: AutoencoderConfig): EditExtent {
  const side = { width: sampleSize, height: sampleSize };
  return { target: side, reference: side, numSteps: USUAL_STEPS, isNegativeUsed: true };
}

/** Whether every network can stay loaded. */
export const isResident = ({ residentBytes }: MemoryPlan, limitBytes: number): boolean =>
  residentBytes <= SHARED_SHARE * limitBytes;

/** Tokens of a canvas: 2 x 2 latent cells each. */
export const tokensOf = ({ width, height }: Size, { scaleFactor }: AutoencoderConfig): number =>
  (width * height) / (2 * scaleFactor) ** 2;

/** Bytes of a file with a network's weights. */
export function fileBytes(count: ParameterCount, kind: WeightsKind): number {
  const { private: own, mapped } = MATRICES[kind];
  return count.matrices * (own + mapped) + count.others * (kind === "fp32" ? FLOAT : 2);
}

/** @param layerWeights of the largest matrix: the only one that is float32 at a time where a file has 16 bits */
function needs(
  count: ParameterCount,
  kind: WeightsKind,
  { workingBytes, layerWeights = 0 }: { workingBytes: number; layerWeights?: number },
): ComponentNeeds {
  const storage = MATRICES[kind];
  return {
    parameters: totalOf(count),
    // Whatever is no matrix is float32 once it is loaded, also where a file has it in 16 bits.
    privateBytes: SESSION_BYTES + count.matrices * storage.private + count.others * FLOAT,
    mappedBytes: count.matrices * storage.mapped,
    workingBytes: workingBytes + (storage.mapped > 0 ? layerWeights * FLOAT : 0),
  };
}

function transformerNeeds({ flux, autoencoder, t5Length }: NetworkSizes, edit: EditExtent) {
  const width = flux.numHeads * flux.headSize;
  const tokens = t5Length + tokensOf(edit.target, autoencoder) + tokensOf(edit.reference, autoencoder);
  return {
    workingBytes: TRANSFORMER_ROWS * tokens * width * FLOAT,
    layerWeights: (1 + MLP_RATIO) * width * width,
  };
}

/** A text encoder's scores and their bias, [heads, length, length] each, and the widest rows of a layer. */
function textNeeds({ width, mlpWidth, numHeads }: ClipSizes | T5Sizes, length: number) {
  return {
    workingBytes: (2 * numHeads * length ** 2 + length * (3 * mlpWidth + 4 * width)) * FLOAT,
    layerWeights: width * mlpWidth,
  };
}

/** A level has a quarter of the pixels of the one above it; a decoder's begins with the width of the one below. */
function decoderBytes({ widths }: AutoencoderConfig, { atOnce, whole }: Area): number {
  const widest = Math.max(...widths.map((width, level) => (widths[level + 1] ?? width) / 4 ** level));
  return (DECODER_PLANES * widest * atOnce + PIXEL_COPIES * COLOURS * whole) * FLOAT;
}

function encoderBytes({ widths }: AutoencoderConfig, { atOnce, whole }: Area): number {
  const widest = Math.max(...widths.map((width, level) => width / 4 ** level));
  return (ENCODER_PLANES * widest * atOnce + PIXEL_COPIES * COLOURS * whole) * FLOAT;
}

/** Pixels that are in the network at a time, and all of a picture's. */
interface Area {
  atOnce: number;
  whole: number;
}

function areaOf({ width, height }: Size, tileSide = Infinity): Area {
  return { atOnce: Math.min(width, tileSide) * Math.min(height, tileSide), whole: width * height };
}

/** The side of the autoencoder's tiles, in pixels; undefined where a picture fits whole. */
function tileSideOf(
  autoencoder: AutoencoderConfig,
  { target, reference }: EditExtent,
  limitBytes: number,
): number | undefined {
  const takes = (side?: number): number =>
    Math.max(
      decoderBytes(autoencoder, areaOf(target, side)),
      encoderBytes(autoencoder, areaOf(reference, side)),
    );
  const fits = (side?: number): boolean => takes(side) <= AUTOENCODER_SHARE * limitBytes;
  return fits() ? undefined : (TILE_SIDES.find((side) => fits(side)) ?? TILE_SIDES.at(-1));
}
