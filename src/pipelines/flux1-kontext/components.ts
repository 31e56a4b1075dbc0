/**
 * The networks of FLUX.1 Kontext as data: text encoders, the two halves of the autoencoder, and the transformer, whose
 * modulation is a separate network because it runs once per edit.
 *
 * Working memory is a measured multiple of a network's largest layer (`test/engine/memory-plan.test.ts` measures it
 * again).
 */
import type { ComponentDefinition } from "../../engine/component.ts";
import type { EditExtent } from "../../engine/extent.ts";
import type { ModelPlan } from "../../engine/model.ts";
import type { Size } from "../../engine/request.ts";
import type { NativeScale } from "../../engine/sizes.ts";
import type { AutoencoderConfig } from "../../models/autoencoders/autoencoder-config.ts";
import { autoencoderDecoder, autoencoderEncoder } from "../../models/autoencoders/autoencoder-kl.ts";
import { countOperations, unloadedNetwork } from "../../models/count.ts";
import { type ClipConfig, clipTextEncoder } from "../../models/text-encoders/clip.ts";
import type { T5Config } from "../../models/text-encoders/t5-config.ts";
import { t5Encoder } from "../../models/text-encoders/t5.ts";
import type { FluxConfig } from "../../models/transformers/flux-config.ts";
import { fluxModulation, modulationSize } from "../../models/transformers/flux-modulation.ts";
import { fluxEmbedders, fluxTransformer } from "../../models/transformers/flux.ts";
import {
  decoderComponent,
  embeddersComponent,
  encoderComponent,
  passesOf,
  pixelsOf,
  stateBytes,
  TRIAL_TOKENS,
} from "../shared/components.ts";
import { clipLoraName } from "./lora-targets.ts";
import { clipTrial, embeddersTrial, modulationTrial, t5Trial, transformerTrial } from "./trials.ts";

/** Configurations of all of a checkpoint's networks. */
export interface KontextConfigs {
  flux: FluxConfig;
  autoencoder: AutoencoderConfig;
  clip: ClipConfig;
  t5: T5Config;
  /** Tokens that each encoder reads from a text; of T5 those of an edit that does not choose. */
  clipLength: number;
  t5Length: number;
}

const FLOAT = 4;
/** Float32 rows [tokens, width] that a block of the transformer holds at its peak. */
const TRANSFORMER_ROWS = 17;

/** Plans from configurations alone. */
export function planKontext(configs: KontextConfigs): ModelPlan {
  const { flux, autoencoder } = configs;
  const width = flux.numHeads * flux.headSize;
  return {
    components: [
      clipComponent(configs),
      t5Component(configs),
      encoderComponent(autoencoder, (weights) => autoencoderEncoder(autoencoder, weights)),
      modulationComponent(flux),
      embeddersComponent(width, (edit) => embeddedOf(configs, edit), {
        build: (weights) => fluxEmbedders(flux, weights, { textLength: "text" }),
        trial: embeddersTrial(flux),
      }),
      transformerComponent(configs),
      decoderComponent(autoencoder, autoencoder.scaleFactor, (weights) =>
        autoencoderDecoder(autoencoder, weights),
      ),
    ],
    native: nativeScale(autoencoder),
    heldBytes: (edit) =>
      passesOf(edit) * (modulationBytes(flux, edit) + stateBytes(embeddedOf(configs, edit), width)),
  };
}

/** A token is 2 x 2 latent cells. */
export const nativeScale = ({ sampleSize, scaleFactor }: AutoencoderConfig): NativeScale => ({
  area: sampleSize ** 2,
  grid: 2 * scaleFactor,
});

/** How many tokens of each kind the transformer works on. */
export interface TokenCounts {
  text: number;
  target: number;
  reference: number;
}

/** Floating point operations of one run of the transformer: linear layers and attention. */
export function flopsPerStep(flux: FluxConfig, tokens: TokenCounts): number {
  const outputs = unloadedNetwork((weights) => fluxTransformer(flux, weights, { textLength: tokens.text }));
  const { linear, attention } = countOperations(outputs, dimsOf(tokens));
  return linear + attention;
}

function clipComponent({ clip, clipLength }: KontextConfigs): ComponentDefinition {
  return {
    name: "clip",
    weights: "clip",
    folder: "text_encoder",
    build: (weights) => clipTextEncoder(clip, weights, { length: clipLength }),
    isAdaptable: true,
    loraName: clipLoraName,
    leastPrecision: "fp32",
    workingBytes: () => textBytes(clip, clipLength),
    runs: (edit) => [{ times: passesOf(edit), dims: {} }],
    trial: clipTrial(clip, clipLength),
  };
}

function t5Component({ t5, t5Length }: KontextConfigs): ComponentDefinition {
  return {
    name: "t5",
    weights: "t5",
    folder: "text_encoder_2",
    build: (weights) => t5Encoder(t5, weights, { length: "text" }),
    leastPrecision: "int4",
    workingBytes: ({ textLength = t5Length }) => textBytes(t5, textLength),
    runs: (edit) => [{ times: passesOf(edit), dims: { text: edit.textLength ?? t5Length } }],
    trial: t5Trial(t5),
  };
}

function modulationComponent(flux: FluxConfig): ComponentDefinition {
  return {
    name: "modulation",
    weights: "transformer",
    folder: "transformer",
    build: (weights) => fluxModulation(flux, weights),
    isAdaptable: true,
    areOutputsHeld: true,
    // Noise levels may differ by only a thousandth, so 8 bits is the minimum.
    leastPrecision: "int8",
    workingBytes: (edit) => 2 * modulationBytes(flux, edit),
    runs: (edit) => [{ times: passesOf(edit), dims: { steps: edit.numSteps } }],
    trial: modulationTrial(flux),
  };
}

function transformerComponent(configs: KontextConfigs): ComponentDefinition {
  const { flux } = configs;
  return {
    name: "transformer",
    weights: "transformer",
    folder: "transformer",
    build: (weights, { computeType, hasSeveral = false } = {}) =>
      fluxTransformer(flux, weights, {
        textLength: "text",
        computeType,
        batch: hasSeveral ? "batch" : 1,
        areEmbedded: true,
      }),
    isAdaptable: true,
    takesBatches: true,
    changingInputs: ["latents"],
    // What the double-stream blocks round comes first, and costs the picture most (docs/decisions/0007-measured-products.md).
    isRoundable: (key) => key.startsWith("single_transformer_blocks."),
    leastPrecision: "int4",
    workingBytes(edit) {
      const { tokens } = dimsOf(tokensOf(configs, edit));
      const { atOnce = 1 } = edit;
      return atOnce * TRANSFORMER_ROWS * tokens * flux.numHeads * flux.headSize * FLOAT;
    },
    runs: (edit) => [{ times: edit.numSteps * passesOf(edit), dims: dimsOf(tokensOf(configs, edit)) }],
    trial: transformerTrial(flux, dimsOf(TRIAL_TOKENS)),
  };
}

/** The tokens of an edit. */
const tokensOf = (
  { autoencoder, t5Length }: KontextConfigs,
  { target, references, textLength = t5Length }: EditExtent,
): TokenCounts => ({
  text: textLength,
  target: cellsOf(target, autoencoder) / 4,
  reference: references.reduce((sum, size) => sum + cellsOf(size, autoencoder) / 4, 0),
});

/** Those that are embedded once an edit. */
function embeddedOf(configs: KontextConfigs, edit: EditExtent): Record<"text" | "reference", number> {
  const { text, reference } = tokensOf(configs, edit);
  return { text, reference };
}

/** Bytes for one pass. */
const modulationBytes = (flux: FluxConfig, { numSteps }: EditExtent): number =>
  numSteps * modulationSize(flux) * FLOAT;

/** The transformer graph's names for its token counts. */
const dimsOf = ({ text, target, reference }: TokenCounts) => ({
  text,
  target,
  reference,
  images: target + reference,
  tokens: text + target + reference,
});

/** Number of latent cells under a canvas. */
const cellsOf = (size: Size, { scaleFactor }: AutoencoderConfig): number => pixelsOf(size) / scaleFactor ** 2;

/** A text encoder's scores and bias, [heads, length, length] each, and the widest rows of a layer. */
function textBytes({ width, mlpWidth, numHeads }: ClipConfig | T5Config, length: number): number {
  return (2 * numHeads * length ** 2 + length * (3 * mlpWidth + 4 * width)) * FLOAT;
}
