/**
 * The sizes of a FLUX.2 transformer, from `transformer/config.json`; absent fields have the defaults of diffusers
 * 0.42.1's `Flux2Transformer2DModel`, which are those of the published 32B model.
 */
import { RetouchError } from "../../errors.ts";
import { type Config, isWhole, shownValue } from "../../weights/config.ts";
import { MAX_HEADS, MAX_LAYERS, MAX_WIDTH } from "../../weights/limits.ts";
import { MAX_CHANNELS, readOutChannels } from "./flux-config.ts";

export interface Flux2Config {
  /** Channels of a packed token. */
  inChannels: number;
  outChannels: number;
  numDoubleBlocks: number;
  numSingleBlocks: number;
  numHeads: number;
  headSize: number;
  /** Size of the text encoder's output per token. */
  promptSize: number;
  /** Width of a feed-forward layer, relative to that of a token; the product is rounded down. */
  mlpRatio: number;
  hasGuidance: boolean;
  /** How many of a head's dimensions each axis of a position (time, row, column, text token) rotates. */
  rotaryAxes: readonly number[];
  rotaryTheta: number;
  /** Channels of the sinusoidal embedding of noise levels and guidance. */
  timeChannels: number;
  /** Epsilon of every norm. */
  epsilon: number;
}

/** Axes of a position: time (which picture), row, column, and number of the text token. */
const NUM_AXES = 4;

const MAX_MLP_RATIO = 1000;
const MAX_THETA = 1e12;

/** @throws RetouchError CHECKPOINT_INVALID, naming file and field */
export function readFlux2Config(config: Config): Flux2Config {
  const fields = config.withNulls();
  const inChannels = fields.count("in_channels", MAX_CHANNELS, 128);
  const headSize = fields.count("attention_head_dim", MAX_WIDTH, 128);
  const numHeads = fields.count("num_attention_heads", MAX_HEADS, 48);
  return {
    inChannels,
    outChannels: readOutChannels(fields, inChannels),
    numDoubleBlocks: fields.wholeNumber("num_layers", MAX_LAYERS, 8),
    numSingleBlocks: fields.wholeNumber("num_single_layers", MAX_LAYERS, 48),
    numHeads,
    headSize,
    promptSize: fields.count("joint_attention_dim", MAX_WIDTH, 15_360),
    mlpRatio: readMlpRatio(fields, numHeads * headSize),
    hasGuidance: fields.truth("guidance_embeds", true),
    rotaryAxes: readRotaryAxes(fields, headSize),
    rotaryTheta: fields.numberWithin("rope_theta", { min: 1e-6, max: MAX_THETA }, 2000),
    timeChannels: fields.count("timestep_guidance_channels", MAX_WIDTH, 256),
    epsilon: fields.numberWithin("eps", { min: 0, max: 1 }, 1e-6),
  };
}

/** Channels of a token inside the network. */
export const widthOf = ({ numHeads, headSize }: Flux2Config): number => numHeads * headSize;

/** Channels inside a feed-forward layer. */
export const mlpWidthOf = (config: Flux2Config): number => Math.floor(widthOf(config) * config.mlpRatio);

/** The ratio of these widths, as `mlpWidthOf` reads it back: a quotient's rounding must not take one off. */
export function mlpRatioOf(width: number, mlpWidth: number): number {
  const ratio = mlpWidth / width;
  return Math.floor(width * ratio) === mlpWidth ? ratio : (mlpWidth + 0.5) / width;
}

function readMlpRatio(config: Config, width: number): number {
  const name = "mlp_ratio";
  const mlpRatio = config.numberWithin(name, { min: 0, max: MAX_MLP_RATIO }, 3);
  const mlpWidth = Math.floor(width * mlpRatio);
  if (mlpWidth >= 1 && mlpWidth <= MAX_WIDTH) return mlpRatio;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${config.file}, ${name} (${mlpRatio}) times the width (${width}) must be from 1 to ${MAX_WIDTH}.`,
  );
}

/** The reference reads a number of a position for each axis, so a list may be shorter than a position. */
function readRotaryAxes(config: Config, headSize: number): number[] {
  const name = "axes_dims_rope";
  const given = config.get(name) === undefined ? [32, 32, 32, 32] : config.get(name);
  const isEven = (axis: unknown): axis is number =>
    isWhole({ min: 0, max: MAX_WIDTH })(axis) && axis % 2 === 0;
  if (Array.isArray(given) && given.length <= NUM_AXES && given.every(isEven)) {
    const axes = [...given, 0, 0, 0, 0].slice(0, NUM_AXES);
    if (axes.reduce((sum, axis) => sum + axis, 0) === headSize) return axes;
  }
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${config.file}, ${name} must be at most four even numbers with the sum attention_head_dim (${headSize}) and is ${shownValue(given)}.`,
  );
}
