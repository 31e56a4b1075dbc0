/**
 * The networks of FLUX.2 [klein] as data: the text encoder, the two halves of the autoencoder, and the transformer. Its
 * modulation is a separate network because it runs once per edit; so is what gives the references' keys and values,
 * where these are kept.
 *
 * Working memory is measured (`test/pipelines/flux2-klein/memory-measured.test.ts`); that of the autoencoder with FLUX.1's,
 * whose halves are the same.
 */
import type { ComponentDefinition } from "../../engine/component.ts";
import type { EditExtent, UsualPasses } from "../../engine/extent.ts";
import type { ModelPlan } from "../../engine/model.ts";
import type { NativeScale } from "../../engine/sizes.ts";
import {
  flux2AutoencoderDecoder,
  flux2AutoencoderEncoder,
} from "../../models/autoencoders/autoencoder-kl-flux2.ts";
import {
  type Flux2AutoencoderConfig,
  PATCH_SIDE,
} from "../../models/autoencoders/flux2-autoencoder-config.ts";
import type { Qwen3Config } from "../../models/text-encoders/qwen3-config.ts";
import { qwen3Encoder } from "../../models/text-encoders/qwen3.ts";
import { type Flux2Config, widthOf } from "../../models/transformers/flux2-config.ts";
import { flux2Modulation, flux2ModulationSize } from "../../models/transformers/flux2-modulation.ts";
import { flux2CachedTransformer, flux2References } from "../../models/transformers/flux2-references.ts";
import { flux2Embedders, flux2Transformer } from "../../models/transformers/flux2.ts";
import {
  decoderComponent,
  embeddersComponent,
  encoderComponent,
  passesOf,
  pixelsOf,
  stateBytes,
  TRIAL_TOKENS,
} from "../shared/components.ts";
import { IMAGES } from "./images.ts";
import { embeddersTrial, MODULATION_TRIAL, qwen3Trial, referencesTrial, transformerTrial } from "./trials.ts";

/** Configurations of all of a checkpoint's networks, and how the pipeline runs them. */
export interface KleinConfigs {
  transformer: Flux2Config;
  autoencoder: Flux2AutoencoderConfig;
  qwen3: Qwen3Config;
  /** Tokens that are read of a text, unless an edit chooses. */
  textLength: number;
  /** Whether it was trained to need few steps and no guidance. */
  isDistilled: boolean;
  /** Whether the references' keys and values are computed once an edit, apart from text and target. */
  areReferencesKept: boolean;
}

/** The layers of the text encoder whose outputs the transformer reads, side by side (`text_encoder_out_layers`). */
export const PROMPT_LAYERS = [9, 18, 27] as const;

const FLOAT = 4;
/**
 * Float32 rows [tokens, width] that a block of the transformer holds at its peak, where the output of the fused layer,
 * 3 + 2 * `mlpRatio` wide, is cut into its parts and so there twice; beside it the stream, its norm, rotated queries and
 * keys, and what attention gives.
 */
const TRANSFORMER_ROWS = 12;
const TRANSFORMER_MLP_ROWS = 4;
/** The runtime's own memory for a layer of the text encoder: less in float32, more in few bits. */
const TEXT_LAYER_BYTES = 2 ** 20;
/** Side of the square that is drawn where nothing asks for a size, in latent cells (`default_sample_size`). */
const NATIVE_CELLS = 128;
/** Steps of an edit that does not choose. */
export const DISTILLED_STEPS = 4;
export const UNDISTILLED_STEPS = 50;

/** Plans from configurations alone. */
export function planKlein(configs: KleinConfigs): ModelPlan {
  const { autoencoder, transformer, areReferencesKept } = configs;
  const hasReferences = !areReferencesKept;
  const width = widthOf(transformer);
  return {
    components: [
      qwen3Component(configs),
      encoderComponent(autoencoder, (weights) => flux2AutoencoderEncoder(autoencoder, weights)),
      modulationComponent(configs),
      ...(areReferencesKept ? [referencesComponent(configs)] : []),
      embeddersComponent(width, (edit) => embeddedOf(configs, edit), {
        build: (weights) => flux2Embedders(transformer, weights, { textLength: "text", hasReferences }),
        trial: embeddersTrial(transformer, hasReferences),
      }),
      transformerComponent(configs),
      decoderComponent(autoencoder, PATCH_SIDE * autoencoder.scaleFactor, (weights) =>
        flux2AutoencoderDecoder(autoencoder, weights),
      ),
    ],
    native: nativeScale(autoencoder),
    usual: usualPasses(configs),
    secondPass: configs.isDistilled ? "never" : "guidance",
    images: IMAGES,
    heldBytes: (edit) =>
      modulationBytes(transformer, edit) +
      passesOf(edit) * stateBytes(embeddedOf(configs, edit), width) +
      (areReferencesKept ? keptBytes(configs, edit) : 0),
  };
}

/** A token is 2 x 2 latent cells; the network was trained to see images as they are, up to a megapixel. */
export const nativeScale = ({ scaleFactor }: Pick<Flux2AutoencoderConfig, "scaleFactor">): NativeScale => ({
  area: (NATIVE_CELLS * scaleFactor) ** 2,
  grid: PATCH_SIDE * scaleFactor,
  isSmallKept: true,
});

const usualPasses = ({ isDistilled }: Pick<KleinConfigs, "isDistilled">): UsualPasses => ({
  numSteps: isDistilled ? DISTILLED_STEPS : UNDISTILLED_STEPS,
  isNegativeUsed: !isDistilled,
});

function qwen3Component({ qwen3, textLength: usual }: KleinConfigs): ComponentDefinition {
  return {
    name: "qwen3",
    weights: "qwen3",
    folder: "text_encoder",
    build: (weights) => qwen3Encoder(qwen3, weights, { length: "text", layers: PROMPT_LAYERS }),
    leastPrecision: "int4",
    workingBytes: ({ textLength = usual }) => textBytes(qwen3, textLength),
    runs: (edit) => {
      const { textLength = usual } = edit;
      return [{ times: passesOf(edit), dims: { text: textLength, keys: textLength } }];
    },
    trial: qwen3Trial(qwen3),
  };
}

function modulationComponent({ transformer, areReferencesKept }: KleinConfigs): ComponentDefinition {
  return {
    name: "modulation",
    weights: "transformer",
    folder: "transformer",
    // The pipeline gives no guidance to any network.
    build: (weights) => flux2Modulation(transformer, weights, { isGuided: false }),
    isAdaptable: true,
    areOutputsHeld: true,
    // Noise levels may differ by only a thousandth, so 8 bits is the minimum.
    leastPrecision: "int8",
    workingBytes: (edit) => 2 * modulationBytes(transformer, edit),
    runs: ({ numSteps }) => [{ times: 1, dims: { steps: numSteps + (areReferencesKept ? 1 : 0) } }],
    trial: MODULATION_TRIAL,
  };
}

function referencesComponent(configs: KleinConfigs): ComponentDefinition {
  const { transformer } = configs;
  return {
    name: "references",
    weights: "transformer",
    folder: "transformer",
    build: (weights, { computeType } = {}) => flux2References(transformer, weights, { computeType }),
    isAdaptable: true,
    areOutputsHeld: true,
    leastPrecision: "int4",
    workingBytes: (edit) => blockBytes(transformer, tokensOf(configs, edit).reference),
    runs: (edit) =>
      edit.references.length === 0
        ? []
        : [{ times: 1, dims: { reference: tokensOf(configs, edit).reference } }],
    trial: referencesTrial(transformer),
  };
}

function transformerComponent(configs: KleinConfigs): ComponentDefinition {
  const { transformer, areReferencesKept } = configs;
  const buildWith = areReferencesKept ? flux2CachedTransformer : flux2Transformer;
  return {
    name: "transformer",
    weights: "transformer",
    folder: "transformer",
    build: (weights, { computeType } = {}) =>
      buildWith(transformer, weights, { textLength: "text", computeType, areEmbedded: true }),
    isAdaptable: true,
    changingInputs: ["latents"],
    leastPrecision: "int4",
    workingBytes(edit) {
      const { text, target, reference } = tokensOf(configs, edit);
      // With kept references, a block holds their keys and values beside its own.
      const others = areReferencesKept ? 2 * reference * widthOf(transformer) * FLOAT : 0;
      return blockBytes(transformer, text + target + (areReferencesKept ? 0 : reference)) + others;
    },
    runs: (edit) => [
      { times: edit.numSteps * passesOf(edit), dims: dimsOf(tokensOf(configs, edit), areReferencesKept) },
    ],
    trial: transformerTrial(transformer, buildWith, dimsOf(TRIAL_TOKENS, areReferencesKept)),
  };
}

/** The transformer graph's names for its token counts. */
function dimsOf(
  { text, target, reference }: Record<"text" | "target" | "reference", number>,
  areReferencesKept: boolean,
): Record<string, number> {
  const images = target + (areReferencesKept ? 0 : reference);
  const dims = { text, target, reference, images, tokens: text + images };
  return areReferencesKept ? { ...dims, attended: text + target + reference } : dims;
}

/** Tokens of each kind. */
function tokensOf(
  { autoencoder: { scaleFactor }, textLength: usual }: KleinConfigs,
  { target, references, textLength = usual }: EditExtent,
): Record<"text" | "target" | "reference", number> {
  const perToken = (PATCH_SIDE * scaleFactor) ** 2;
  return {
    text: textLength,
    target: pixelsOf(target) / perToken,
    reference: references.reduce((sum, size) => sum + pixelsOf(size) / perToken, 0),
  };
}

const blockBytes = (config: Flux2Config, tokens: number): number =>
  (TRANSFORMER_ROWS + TRANSFORMER_MLP_ROWS * config.mlpRatio) * tokens * widthOf(config) * FLOAT;

/** Those that are embedded once an edit: references only where their keys and values are not kept. */
function embeddedOf(configs: KleinConfigs, edit: EditExtent): Record<string, number> {
  const { text, reference } = tokensOf(configs, edit);
  return configs.areReferencesKept ? { text } : { text, reference };
}

/** The keys and values of every block. */
function keptBytes(configs: KleinConfigs, edit: EditExtent): number {
  const { transformer } = configs;
  const numBlocks = transformer.numDoubleBlocks + transformer.numSingleBlocks;
  return 2 * numBlocks * tokensOf(configs, edit).reference * widthOf(transformer) * FLOAT;
}

const modulationBytes = (config: Flux2Config, { numSteps }: EditExtent): number =>
  (numSteps + 1) * flux2ModulationSize(config) * FLOAT;

/** The scores of a layer, [heads, length, length], its widest rows, and what the runtime keeps of all layers. */
function textBytes({ width, mlpWidth, numHeads }: Qwen3Config, length: number): number {
  const outputs = PROMPT_LAYERS.length * 2 * width;
  const layer = (numHeads * length ** 2 + length * (3 * mlpWidth + 4 * width + outputs)) * FLOAT;
  return layer + Math.max(...PROMPT_LAYERS) * TEXT_LAYER_BYTES;
}
