/** The networks of FLUX.2 [klein] as functions: tensors in, tensors out. */
import type { Encodings } from "../../engine/encodings.ts";
import type { EditExtent } from "../../engine/extent.ts";
import type { ComponentRunner } from "../../engine/model.ts";
import { fitSketcher, type LatentSketcher } from "../../engine/preview.ts";
import type { Size } from "../../engine/request.ts";
import type { NativeScale } from "../../engine/sizes.ts";
import type { Adapters } from "../../models/adapters.ts";
import {
  type Flux2AutoencoderConfig,
  PATCH_SIDE,
} from "../../models/autoencoders/flux2-autoencoder-config.ts";
import { type Flux2Config, widthOf } from "../../models/transformers/flux2-config.ts";
import type { RotaryTable } from "../../models/transformers/rotary.ts";
import type { Tensor } from "../../runtime/session.ts";
import { byTiles, type LatentSpace, planesOf, tensorOf } from "../shared/latent-space.ts";
import type { ScheduleConfig } from "../shared/noise-schedule.ts";
import { packLatents, planesToTokens, tokensToPlanes, unpackLatents } from "../shared/packing.ts";
import type { KleinCheckpoint } from "./checkpoint.ts";
import { type KleinConfigs, nativeScale } from "./components.ts";
import { type Prompt, PromptEncoder } from "./prompt.ts";

/** What the transformer sees of the references: their tokens, or the keys and values that were made of them. */
export type References = Readonly<Record<string, Tensor>>;

/** Text and references as the transformer reads them in every step. */
export type EmbeddedTokens = Readonly<Record<string, Tensor>>;

/** What the transformer predicts the velocity from. */
export interface VelocityInputs {
  /** Packed tokens of the target, [L, C]. */
  latents: Float32Array;
  embedded: EmbeddedTokens;
  /** For the text, the target, and the references unless their keys and values are kept, in this order. */
  rotary: RotaryTable;
  /** What `modulations` returned for this step. */
  modulation: Tensor;
  /** What LoRAs add to the layers. @default nothing */
  adapters?: Adapters | undefined;
}

export class Networks implements LatentSpace {
  readonly configs: KleinConfigs;
  readonly autoencoder: Flux2AutoencoderConfig;
  readonly schedule: ScheduleConfig;
  readonly native: NativeScale;
  readonly #components: ComponentRunner;
  readonly #prompts: PromptEncoder;
  #sketcher: Promise<LatentSketcher> | undefined;

  constructor(checkpoint: KleinCheckpoint, components: ComponentRunner) {
    const { configs, schedule } = checkpoint;
    this.configs = configs;
    this.autoencoder = configs.autoencoder;
    this.schedule = schedule;
    this.native = nativeScale(configs.autoencoder);
    this.#components = components;
    this.#prompts = new PromptEncoder(checkpoint, components);
  }

  /**
   * Plans the memory of an edit, before any network runs for it.
   * @throws RetouchError MEMORY_INSUFFICIENT
   */
  async prepare(edit: EditExtent): Promise<void> {
    await this.#components.prepare(edit);
  }

  /** @param length tokens that are read of it @default the most */
  encodePrompt(text: string, length?: number, encodings?: Encodings): Promise<Prompt> {
    return this.#prompts.encode(text, length, encodings);
  }

  get tileSide(): number | undefined {
    return this.#components.tileSide;
  }

  latentSize(canvas: Size): Size {
    const { scaleFactor } = this.autoencoder;
    return { width: canvas.width / scaleFactor, height: canvas.height / scaleFactor };
  }

  /** The mode of the latent distribution of pixels [3, height, width]: [C, h, w], normalised. */
  async encodePixels(pixels: Float32Array, { width, height }: Size): Promise<Float32Array> {
    const { latentChannels } = this.autoencoder;
    const half = { to: "cells", cellSide: this.native.grid, patch: PATCH_SIDE } as const;
    const whole = { data: pixels, channels: 3, width, height };
    const patches = await byTiles(this.#components, half, whole, async (tile) => {
      const { latents } = await this.#components.run("encoder", { pixels: tensorOf(tile) });
      return planesOf(latents!, PATCH_SIDE ** 2 * latentChannels);
    });
    const tokens = planesToTokens(patches.data, patches.channels);
    return unpackLatents(tokens, latentChannels, this.latentSize({ width, height }));
  }

  /** The pixels [3, height, width], about -1 to 1, of a normalised latent grid [C, h, w]. */
  async decodeLatents(grid: Float32Array, { width, height }: Size): Promise<Float32Array> {
    const { latentChannels } = this.autoencoder;
    const channels = PATCH_SIDE ** 2 * latentChannels;
    const tokens = packLatents(grid, latentChannels, { width, height });
    const whole = {
      data: tokensToPlanes(tokens, channels),
      channels,
      width: width / PATCH_SIDE,
      height: height / PATCH_SIDE,
    };
    const half = { to: "pixels", cellSide: this.native.grid } as const;
    const decoded = await byTiles(this.#components, half, whole, async (tile) => {
      const { pixels } = await this.#components.run("decoder", { latents: tensorOf(tile) });
      return planesOf(pixels!, 3);
    });
    return decoded.data;
  }

  sketcher(): Promise<LatentSketcher> {
    this.#sketcher ??= fitSketcher(this);
    return this.#sketcher;
  }

  /** The modulation of the transformer's blocks at noise levels, as the scheduler tells them. */
  async modulations(timesteps: Float32Array, adapters?: Adapters): Promise<Tensor[]> {
    const sigmas = { data: timesteps, shape: [timesteps.length] };
    const { modulation } = await this.#components.run("modulation", { sigmas }, adapters);
    return this.#components.rows(modulation!);
  }

  /** The keys and values of the references' packed tokens [L, C], by the names of the transformer's inputs. */
  referenceKeys(
    latents: Float32Array,
    rotary: RotaryTable,
    { modulation, adapters }: Pick<VelocityInputs, "modulation" | "adapters">,
  ): Promise<References> {
    const inputs = {
      referenceLatents: this.tokens(latents),
      modulation,
      ...rotaryInputs(rotary, this.configs.transformer),
    };
    return this.#components.run("references", inputs, adapters);
  }

  /** Packed latents as a tensor [L, C]. */
  tokens(latents: Float32Array): Tensor {
    const { inChannels } = this.configs.transformer;
    return { data: latents, shape: [latents.length / inChannels, inChannels] };
  }

  /** Embeds what every step reads; keys and values of references are that already. Its numbers are held on the device. */
  async embed(
    prompt: Pick<Prompt, "promptEmbeds">,
    references: References,
    adapters?: Adapters,
  ): Promise<EmbeddedTokens> {
    const { promptEmbeds } = prompt;
    const { referenceLatents, ...kept } = references;
    if (referenceLatents === undefined) {
      return { ...kept, ...(await this.#components.run("embedders", { promptEmbeds }, adapters)) };
    }
    const hasReferences = referenceLatents.shape[0]! > 0;
    const { inChannels } = this.configs.transformer;
    // Kernels of some devices take no matrix without rows: one row stands for none.
    const rows = hasReferences
      ? referenceLatents
      : { data: new Float32Array(inChannels), shape: [1, inChannels] };
    const states = await this.#components.run(
      "embedders",
      { promptEmbeds, referenceLatents: rows },
      adapters,
    );
    if (hasReferences) return states;
    const none = { data: new Float32Array(0), shape: [0, widthOf(this.configs.transformer)] };
    return { ...states, referenceStates: none };
  }

  /** The velocity of the target's tokens, [L, C]. All inputs but `latents` are those of an edit, and held. */
  async velocity(inputs: VelocityInputs): Promise<Float32Array> {
    const { latents, embedded, rotary, modulation, adapters } = inputs;
    const held = await this.#components.hold(rotaryInputs(rotary, this.configs.transformer));
    const tensors = { ...embedded, ...held, latents: this.tokens(latents), modulation };
    const { velocity } = await this.#components.run("transformer", tensors, adapters);
    return velocity!.data as Float32Array;
  }

  /** Frees what an edit held on the device. */
  free(): void {
    this.#components.free();
  }

  /** Releases every network, once the running one has finished. */
  dispose(): Promise<void> {
    return this.#components.dispose();
  }
}

function rotaryInputs(
  { cos, sin }: RotaryTable,
  { headSize }: Flux2Config,
): Record<"rotaryCos" | "rotarySin", Tensor> {
  const shape = [1, cos.length / (headSize / 2), headSize / 2];
  return { rotaryCos: { data: cos, shape }, rotarySin: { data: sin, shape } };
}
