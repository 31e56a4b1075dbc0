/**
 * Configurations of FLUX.2 [klein] 4B, the distilled one, so edits can be planned before it is downloaded: the sizes that
 * its publisher gives, with Qwen3-4B as its text encoder.
 */
import { silu } from "../../onnx/ops.ts";
import { type KleinConfigs, planKlein } from "./components.ts";

export const PUBLISHED_KLEIN_CONFIGS: KleinConfigs = {
  transformer: {
    inChannels: 128,
    outChannels: 128,
    numDoubleBlocks: 5,
    numSingleBlocks: 20,
    numHeads: 24,
    headSize: 128,
    promptSize: 7680,
    mlpRatio: 3,
    hasGuidance: false,
    rotaryAxes: [32, 32, 32, 32],
    rotaryTheta: 2000,
    timeChannels: 256,
    epsilon: 1e-6,
  },
  autoencoder: {
    latentChannels: 32,
    widths: [128, 256, 512, 512],
    decoderWidths: [128, 256, 512, 512],
    downKinds: ["plain", "plain", "plain", "plain"],
    upKinds: ["plain", "plain", "plain", "plain"],
    layersPerBlock: 2,
    activation: silu,
    numGroups: 32,
    hasMidAttention: true,
    hasQuantConv: true,
    hasPostQuantConv: true,
    outChannels: 3,
    sampleSize: 1024,
    scaleFactor: 8,
    batchNormEpsilon: 1e-4,
  },
  qwen3: {
    width: 2560,
    mlpWidth: 9728,
    numLayers: 36,
    numHeads: 32,
    numKeyHeads: 8,
    headSize: 128,
    vocabularySize: 151_936,
    epsilon: 1e-6,
    activation: silu,
    rotaryTheta: 1_000_000,
    hasBias: false,
  },
  textLength: 512,
  isDistilled: true,
  areReferencesKept: false,
};

export const PUBLISHED_KLEIN_PLAN = planKlein(PUBLISHED_KLEIN_CONFIGS);
