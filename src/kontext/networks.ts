/** The networks of a checkpoint, loaded and ready: text encoders, autoencoder and transformer, and what they need. */
import { type AutoencoderConfig, autoencoderDecoder, autoencoderEncoder } from "../models/autoencoder.ts";
import { fluxTransformer } from "../models/flux.ts";
import type { FluxConfig } from "../models/flux-config.ts";
import { fluxModulation, modulationSize } from "../models/flux-modulation.ts";
import { RetouchError } from "../errors.ts";
import { loadSession } from "../runtime/load.ts";
import type { RuntimeOptions, Session } from "../runtime/session.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { readAutoencoder, readTransformer } from "./components.ts";
import type { RotaryTable } from "./latents.ts";
import { fitSketcher, type LatentSketcher } from "./preview.ts";
import { type Prompt, PromptEncoder } from "./prompt.ts";
import type { Size } from "./request.ts";
import { readScheduleConfig, type ScheduleConfig } from "./schedule.ts";
import type { NativeScale } from "./sizes.ts";

/** What the transformer predicts the velocity from. */
export interface VelocityInputs {
  /** Packed tokens of the target, [L, C], and of the reference, [Lr, C]. */
  latents: Float32Array;
  referenceLatents: Float32Array;
  prompt: Prompt;
  /** For text, target and reference, in this order. */
  rotary: RotaryTable;
  /** What `modulations` gave for this step and prompt. */
  modulation: Float32Array;
}

export class Networks {
  readonly flux: FluxConfig;
  readonly autoencoder: AutoencoderConfig;
  readonly schedule: ScheduleConfig;
  readonly native: NativeScale;
  readonly prompts: PromptEncoder;
  readonly #modulation: Session;
  readonly #transformer: Session;
  readonly #encoder: Session;
  readonly #decoder: Session;
  #sketcher: Promise<LatentSketcher> | undefined;

  private constructor(
    configs: { flux: FluxConfig; autoencoder: AutoencoderConfig; schedule: ScheduleConfig },
    sessions: {
      prompts: PromptEncoder;
      modulation: Session;
      transformer: Session;
      encoder: Session;
      decoder: Session;
    },
  ) {
    this.flux = configs.flux;
    this.autoencoder = configs.autoencoder;
    this.schedule = configs.schedule;
    this.native = { area: configs.autoencoder.sampleSize ** 2, grid: 2 * configs.autoencoder.scaleFactor };
    this.prompts = sessions.prompts;
    this.#modulation = sessions.modulation;
    this.#transformer = sessions.transformer;
    this.#encoder = sessions.encoder;
    this.#decoder = sessions.decoder;
  }

  /**
   * Loads every network of a checkpoint.
   * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and key
   */
  static async load(checkpoint: Checkpoint, runtime: RuntimeOptions): Promise<Networks> {
    const schedule = readScheduleConfig(await checkpoint.config("scheduler/scheduler_config.json"));
    const { config: flux, weights: fluxWeights } = await readTransformer(checkpoint);
    const { config: autoencoder, weights: vaeWeights } = await readAutoencoder(checkpoint);
    if (flux.inChannels !== 4 * autoencoder.latentChannels) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `The checkpoint ${checkpoint.folder} has a transformer of ${flux.inChannels} channels and an autoencoder of ${autoencoder.latentChannels}; four times as many are wanted.`,
      );
    }
    const prompts = await PromptEncoder.load(checkpoint, runtime);
    if (flux.promptSize !== prompts.promptSize || flux.pooledSize !== prompts.pooledSize) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `The checkpoint ${checkpoint.folder} has a transformer for text embeddings of ${flux.promptSize} and ${flux.pooledSize} numbers (T5 and CLIP) and text encoders that give ${prompts.promptSize} and ${prompts.pooledSize}.`,
      );
    }

    const modulationOutputs = fluxModulation(flux, fluxWeights.scope());
    const fluxOutputs = fluxTransformer(flux, fluxWeights.scope(), { textLength: prompts.textLength });
    fluxWeights.assertAllUsed();
    const modulation = await loadSession(modulationOutputs, fluxWeights, runtime);
    const transformer = await loadSession(fluxOutputs, fluxWeights, runtime);

    const encoderOutputs = autoencoderEncoder(autoencoder, vaeWeights.scope());
    const decoderOutputs = autoencoderDecoder(autoencoder, vaeWeights.scope());
    vaeWeights.assertAllUsed();
    const encoder = await loadSession(encoderOutputs, vaeWeights, runtime);
    const decoder = await loadSession(decoderOutputs, vaeWeights, runtime);

    return new Networks(
      { flux, autoencoder, schedule },
      { prompts, modulation, transformer, encoder, decoder },
    );
  }

  /** The size of the latent grid under a canvas of pixels. */
  latentSize(canvas: Size): Size {
    const { scaleFactor } = this.autoencoder;
    return { width: canvas.width / scaleFactor, height: canvas.height / scaleFactor };
  }

  /** The mode of the latent distribution of pixels [3, height, width]: [C, h, w], normalised as (z - shift) * scale. */
  async encodePixels(pixels: Float32Array, { width, height }: Size): Promise<Float32Array> {
    const { mean } = await this.#encoder.run({ pixels: { data: pixels, shape: [1, 3, height, width] } });
    const { shiftFactor, scalingFactor } = this.autoencoder;
    return (mean!.data as Float32Array).map((value) => (value - shiftFactor) * scalingFactor);
  }

  /** The pixels [3, height, width], about -1 to 1, of a normalised latent grid [C, h, w]. */
  async decodeLatents(grid: Float32Array, { width, height }: Size): Promise<Float32Array> {
    const { shiftFactor, scalingFactor, latentChannels } = this.autoencoder;
    const data = grid.map((value) => value / scalingFactor + shiftFactor);
    const { pixels } = await this.#decoder.run({
      latents: { data, shape: [1, latentChannels, height, width] },
    });
    return pixels!.data as Float32Array;
  }

  /** Draws latents roughly and at once; the first call fits it to the autoencoder. */
  sketcher(): Promise<LatentSketcher> {
    this.#sketcher ??= fitSketcher(this);
    return this.#sketcher;
  }

  /** What each of the noise levels tells the transformer's blocks, together with guidance and the pooled text. */
  async modulations(sigmas: Float32Array, guidance: number, prompt: Prompt): Promise<Float32Array[]> {
    const { modulation } = await this.#modulation.run({
      sigmas: { data: sigmas, shape: [sigmas.length] },
      pooledPromptEmbeds: prompt.pooledPromptEmbeds,
      ...(this.flux.hasGuidance && { guidance: { data: Float32Array.of(guidance), shape: [1] } }),
    });
    const size = modulationSize(this.flux);
    const rows = modulation!.data as Float32Array;
    return Array.from(sigmas, (_, step) => rows.subarray(step * size, (step + 1) * size));
  }

  /** The velocity of the target's tokens, [L, C]. */
  async velocity(inputs: VelocityInputs): Promise<Float32Array> {
    const { inChannels, headSize } = this.flux;
    const { latents, referenceLatents, prompt, rotary, modulation } = inputs;
    const rotaryShape = [1, rotary.cos.length / (headSize / 2), headSize / 2];
    const { velocity } = await this.#transformer.run({
      latents: { data: latents, shape: [latents.length / inChannels, inChannels] },
      referenceLatents: { data: referenceLatents, shape: [referenceLatents.length / inChannels, inChannels] },
      promptEmbeds: prompt.promptEmbeds,
      modulation: { data: modulation, shape: [modulation.length] },
      rotaryCos: { data: rotary.cos, shape: rotaryShape },
      rotarySin: { data: rotary.sin, shape: rotaryShape },
    });
    return velocity!.data as Float32Array;
  }

  async dispose(): Promise<void> {
    const sessions = [this.#modulation, this.#transformer, this.#encoder, this.#decoder];
    await Promise.all([this.prompts, ...sessions].map((part) => part.dispose()));
  }
}
