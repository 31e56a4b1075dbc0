/**
 * Configurations of the published model, black-forest-labs/FLUX.1-Kontext-dev, from its `config.json` files, so edits
 * can be planned before it is downloaded.
 */
import { gelu, quickGelu, silu } from "../../onnx/ops.ts";
import { type KontextConfigs, planKontext } from "./components.ts";

export const PUBLISHED_CONFIGS: KontextConfigs = {
  flux: {
    inChannels: 64,
    outChannels: 64,
    numDoubleBlocks: 19,
    numSingleBlocks: 38,
    numHeads: 24,
    headSize: 128,
    promptSize: 4096,
    pooledSize: 768,
    hasGuidance: true,
    rotaryAxes: [16, 56, 56],
  },
  autoencoder: {
    latentChannels: 16,
    widths: [128, 256, 512, 512],
    decoderWidths: [128, 256, 512, 512],
    downKinds: ["plain", "plain", "plain", "plain"],
    upKinds: ["plain", "plain", "plain", "plain"],
    layersPerBlock: 2,
    activation: silu,
    outChannels: 3,
    numGroups: 32,
    hasMidAttention: true,
    hasQuantConv: false,
    hasPostQuantConv: false,
    scalingFactor: 0.3611,
    shiftFactor: 0.1159,
    sampleSize: 1024,
    scaleFactor: 8,
  },
  /** CLIP ViT-L/14. */
  clip: {
    width: 768,
    mlpWidth: 3072,
    numLayers: 12,
    numHeads: 12,
    vocabularySize: 49_408,
    maxPositions: 77,
    epsilon: 1e-5,
    activation: quickGelu,
    endTokenId: 2,
  },
  /** T5 v1.1 XXL. */
  t5: {
    width: 4096,
    headSize: 64,
    numHeads: 64,
    mlpWidth: 10_240,
    numLayers: 24,
    vocabularySize: 32_128,
    numBuckets: 32,
    maxDistance: 128,
    isGated: true,
    epsilon: 1e-6,
    activation: (x) => gelu(x, { approximate: true }),
  },
  clipLength: 77,
  t5Length: 512,
};

export const PUBLISHED_PLAN = planKontext(PUBLISHED_CONFIGS);
