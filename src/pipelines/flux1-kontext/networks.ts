/**
 * The networks of a checkpoint: text encoders, autoencoder and transformer. Each is loaded when it is needed at the
 * latest (`residency.ts`).
 */
import { type AutoencoderConfig, autoencoderDecoder, autoencoderEncoder } from "../../models/autoencoders/autoencoder-kl.ts";
import { type Adapter, AdapterInputs } from "../../models/adapters.ts";
import { fluxTransformer } from "../../models/transformers/flux.ts";
import type { FluxConfig } from "../../models/transformers/flux-config.ts";
import { fluxModulation, modulationSize } from "../../models/transformers/flux-modulation.ts";
import type { RuntimeOptions, Tensor } from "../../runtime/session.ts";
import { userCacheFolder } from "../../machine/cache-folder.ts";
import type { ConversionProgress } from "../../quantize/cache.ts";
import { preparedWeights, type StoredWeights } from "../../quantize/prepare.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { WeightOptions } from "../../weights/weight-set.ts";
import { type CheckpointNetworks, readNetworks } from "./checkpoint-networks.ts";
import { Component } from "../../engine/component.ts";
import type { RotaryTable } from "./latents.ts";
import { checkMemory } from "../../engine/memory-check.ts";
import {
  type EditExtent,
  type MemoryPlan,
  type NetworkKinds,
  type NetworkSizes,
  planMemory,
  usualEdit,
} from "../../engine/memory-plan.ts";
import { fitSketcher, type LatentSketcher } from "../../engine/preview.ts";
import { type Prompt, PromptEncoder } from "./prompt.ts";
import type { Size } from "../../engine/request.ts";
import { Residency } from "../../engine/residency.ts";
import type { ScheduleConfig } from "./schedule.ts";
import type { NativeScale } from "../../engine/sizes.ts";
import { isTiled, type Planes, runInTiles } from "../../engine/tiles.ts";
import { chooseKinds, type WeightsChoice } from "../../engine/weights-choice.ts";

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

export interface NetworkOptions extends Pick<WeightOptions, "accuracyLevel"> {
  /** Memory that the process may take. @default no limit */
  limitBytes?: number | undefined;
  /** Whether `adapt` can be called, which costs every step a little. @default false */
  isAdaptable?: boolean | undefined;
  /** What the weights of transformer and T5 are loaded as. @default "fp32" */
  weights?: WeightsChoice | undefined;
  /** Where converted weights are kept. */
  cacheFolder?: string | undefined;
  onConversion?: ((progress: ConversionProgress) => void) | undefined;
}

interface Halves {
  encoder: Component;
  decoder: Component;
}

export class Networks {
  readonly flux: FluxConfig;
  readonly autoencoder: AutoencoderConfig;
  readonly schedule: ScheduleConfig;
  readonly native: NativeScale;
  /** What the weights of transformer and T5 are loaded as. */
  readonly kinds: NetworkKinds;
  readonly #prompts: PromptEncoder;
  readonly #modulation: Component;
  readonly #transformer: Component;
  readonly #autoencoder: Halves;
  readonly #residency: Residency;
  readonly #limitBytes: number;
  #plan: MemoryPlan;
  /** Only where the networks were loaded to take adapters. */
  readonly #adapterInputs: { modulation: AdapterInputs; transformer: AdapterInputs } | undefined;
  #adapters: ReadonlyMap<string, Adapter> = new Map();
  #sketcher: Promise<LatentSketcher> | undefined;

  private constructor(
    configs: { flux: FluxConfig; autoencoder: AutoencoderConfig; schedule: ScheduleConfig },
    components: Halves & { prompts: PromptEncoder; modulation: Component; transformer: Component },
    kinds: NetworkKinds,
    limitBytes: number,
    adapterInputs: { modulation: AdapterInputs; transformer: AdapterInputs } | undefined,
  ) {
    this.flux = configs.flux;
    this.autoencoder = configs.autoencoder;
    this.schedule = configs.schedule;
    this.native = { area: configs.autoencoder.sampleSize ** 2, grid: 2 * configs.autoencoder.scaleFactor };
    const { prompts, modulation, transformer, encoder, decoder } = components;
    this.#prompts = prompts;
    this.#modulation = modulation;
    this.#transformer = transformer;
    this.#autoencoder = { encoder, decoder };
    this.#limitBytes = limitBytes;
    this.#adapterInputs = adapterInputs;
    this.kinds = kinds;
    this.#plan = planMemory(this.sizes, kinds, usualEdit(configs.autoencoder), limitBytes);
    const all = [prompts.clip, prompts.t5, encoder, modulation, transformer, decoder];
    this.#residency = new Residency(all, this.#plan, limitBytes);
  }

  /**
   * Converts weights where that is asked for, holds every network of a checkpoint against its configuration, then loads
   * them, if all of them fit at once.
   * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and key;
   * INVALID_PARAMETER or OUTPUT_UNWRITABLE for weights that are to be converted
   */
  static async load(
    checkpoint: Checkpoint,
    runtime: RuntimeOptions,
    options: NetworkOptions = {},
  ): Promise<Networks> {
    return Networks.build(await readNetworks(checkpoint), runtime, options);
  }

  /** The same of a checkpoint whose headers were read. */
  static async build(
    { schedule, transformer: stored, autoencoder: vae, encoders, sizes }: CheckpointNetworks,
    runtime: RuntimeOptions,
    options: NetworkOptions = {},
  ): Promise<Networks> {
    const { limitBytes = Infinity, isAdaptable = false, accuracyLevel } = options;
    const { flux, autoencoder } = sizes;
    const kinds = chooseKinds(
      options.weights ?? "fp32",
      { transformer: stored.weights, t5: encoders.t5.weights },
      sizes,
      limitBytes,
    );
    const cache = {
      folder: options.cacheFolder ?? userCacheFolder(),
      threads: runtime.threads || undefined,
      onProgress: options.onConversion,
    };
    const prepared = (name: "transformer" | "t5", weights: StoredWeights) =>
      preparedWeights(name, weights, kinds[name], cache, { accuracyLevel });
    const fluxWeights = await prepared("transformer", stored.weights);
    const prompts = PromptEncoder.build(encoders, await prepared("t5", encoders.t5.weights), runtime);

    const inputs = isAdaptable
      ? { modulation: new AdapterInputs(), transformer: new AdapterInputs() }
      : undefined;
    const modulationOutputs = fluxModulation(flux, fluxWeights.scope("", inputs?.modulation.adapt));
    const transformerScope = fluxWeights.scope("", inputs?.transformer.adapt);
    const { textLength } = prompts;
    const { computeType } = runtime;
    const fluxOutputs = fluxTransformer(flux, transformerScope, { textLength, computeType });
    fluxWeights.assertAllUsed();
    const modulation = new Component("modulation", modulationOutputs, fluxWeights, runtime);
    const transformer = new Component("transformer", fluxOutputs, fluxWeights, runtime);

    const { weights: vaeWeights } = vae;
    const encoderOutputs = autoencoderEncoder(autoencoder, vaeWeights.scope());
    const decoderOutputs = autoencoderDecoder(autoencoder, vaeWeights.scope());
    vaeWeights.assertAllUsed();
    const encoder = new Component("encoder", encoderOutputs, vaeWeights, runtime);
    const decoder = new Component("decoder", decoderOutputs, vaeWeights, runtime);

    const networks = new Networks(
      { flux, autoencoder, schedule },
      { prompts, modulation, transformer, encoder, decoder },
      kinds,
      limitBytes,
      inputs,
    );
    await networks.#residency.follow(networks.#plan);
    return networks;
  }

  /** What memory is planned from. */
  get sizes(): NetworkSizes {
    const { flux, autoencoder } = this;
    return { flux, autoencoder, ...this.#prompts.configs };
  }

  /** Tokens of every encoded text. */
  get textLength(): number {
    return this.#prompts.textLength;
  }

  /**
   * Plans the memory of an edit, before any network runs for it; adapters of the one before are gone.
   * @throws RetouchError MEMORY_INSUFFICIENT
   */
  async prepare(edit: EditExtent): Promise<void> {
    this.#adapters = new Map();
    this.#plan = checkMemory(this.sizes, this.kinds, edit, this.#limitBytes);
    await this.#residency.follow(this.#plan);
  }

  encodePrompt(text: string): Promise<Prompt> {
    return this.#prompts.encode(text, this.#residency);
  }

  /** Sets what is added to the transformer's layers from the next call on, by their keys. */
  adapt(adapters: ReadonlyMap<string, Adapter>): void {
    if (!this.#adapterInputs && adapters.size > 0) throw new Error("These networks take no adapters.");
    this.#adapters = adapters;
  }

  /** The size of the latent grid under a canvas of pixels. */
  latentSize(canvas: Size): Size {
    const { scaleFactor } = this.autoencoder;
    return { width: canvas.width / scaleFactor, height: canvas.height / scaleFactor };
  }

  /** The mode of the latent distribution of pixels [3, height, width]: [C, h, w], normalised as (z - shift) * scale. */
  async encodePixels(pixels: Float32Array, { width, height }: Size): Promise<Float32Array> {
    const { shiftFactor, scalingFactor, latentChannels } = this.autoencoder;
    const mean = await this.#byTiles({ data: pixels, channels: 3, width, height }, 1, async (tile) => {
      const output = await this.#residency.run(this.#autoencoder.encoder, { pixels: tensorOf(tile) });
      return planesOf(output.mean!, latentChannels);
    });
    return mean.map((value) => (value - shiftFactor) * scalingFactor);
  }

  /** The pixels [3, height, width], about -1 to 1, of a normalised latent grid [C, h, w]. */
  async decodeLatents(grid: Float32Array, { width, height }: Size): Promise<Float32Array> {
    const { shiftFactor, scalingFactor, latentChannels, scaleFactor } = this.autoencoder;
    const data = grid.map((value) => value / scalingFactor + shiftFactor);
    return this.#byTiles({ data, channels: latentChannels, width, height }, scaleFactor, async (tile) => {
      const output = await this.#residency.run(this.#autoencoder.decoder, { latents: tensorOf(tile) });
      return planesOf(output.pixels!, 3);
    });
  }

  /** Runs a half of the autoencoder over all at once, or in tiles where the plan says so. */
  async #byTiles(
    whole: Planes,
    pixelsPerCell: number,
    run: (tile: Planes) => Promise<Planes>,
  ): Promise<Float32Array> {
    const { tileSide } = this.#plan;
    const side = tileSide && tileSide / pixelsPerCell;
    if (side === undefined || !isTiled(whole, side)) return (await run(whole)).data;
    const { scaleFactor } = this.autoencoder;
    const output = pixelsPerCell === 1 ? side / scaleFactor : side * scaleFactor;
    return (await runInTiles(whole, { input: side, output }, run)).data;
  }

  /** Draws latents roughly and at once; the first call fits it to the autoencoder. */
  sketcher(): Promise<LatentSketcher> {
    this.#sketcher ??= fitSketcher(this);
    return this.#sketcher;
  }

  /** What each of the noise levels tells the transformer's blocks, together with guidance and the pooled text. */
  async modulations(sigmas: Float32Array, guidance: number, prompt: Prompt): Promise<Float32Array[]> {
    const { modulation } = await this.#residency.run(this.#modulation, {
      sigmas: { data: sigmas, shape: [sigmas.length] },
      pooledPromptEmbeds: prompt.pooledPromptEmbeds,
      ...(this.flux.hasGuidance && { guidance: { data: Float32Array.of(guidance), shape: [1] } }),
      ...this.#adapterInputs?.modulation.inputsOf(this.#adapters),
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
    const { velocity } = await this.#residency.run(this.#transformer, {
      latents: { data: latents, shape: [latents.length / inChannels, inChannels] },
      referenceLatents: { data: referenceLatents, shape: [referenceLatents.length / inChannels, inChannels] },
      promptEmbeds: prompt.promptEmbeds,
      modulation: { data: modulation, shape: [modulation.length] },
      rotaryCos: { data: rotary.cos, shape: rotaryShape },
      rotarySin: { data: rotary.sin, shape: rotaryShape },
      ...this.#adapterInputs?.transformer.inputsOf(this.#adapters),
    });
    return velocity!.data as Float32Array;
  }

  dispose(): Promise<void> {
    return this.#residency.dispose();
  }
}

/** One picture or grid as a batch. */
const tensorOf = ({ data, channels, width, height }: Planes): Tensor => ({
  data,
  shape: [1, channels, height, width],
});

function planesOf({ data, shape }: Tensor, channels: number): Planes {
  const [, , height, width] = shape as [number, number, number, number];
  return { data: data as Float32Array, channels, width, height };
}
