/** The networks of FLUX.1 Kontext as functions: tensors in, tensors out. */
import type { ComponentRunner } from "../../engine/model.ts";
import { Batcher } from "../../engine/batches/batcher.ts";
import type { Adapters } from "../../models/adapters.ts";
import type { EditExtent } from "../../engine/extent.ts";
import { fitSketcher, type LatentSketcher } from "../../engine/preview.ts";
import type { Size } from "../../engine/request.ts";
import type { NativeScale } from "../../engine/sizes.ts";
import type { AutoencoderConfig } from "../../models/autoencoders/autoencoder-config.ts";
import type { FluxConfig } from "../../models/transformers/flux-config.ts";
import { MAX_IMAGES } from "../../models/transformers/image-batch.ts";
import type { RotaryTable } from "../../models/transformers/rotary.ts";
import type { Tensor } from "../../runtime/session.ts";
import { reshaped, stacked, unstacked } from "../shared/stacking.ts";
import { byTiles, type LatentSpace, planesOf, tensorOf } from "../shared/latent-space.ts";
import type { KontextCheckpoint } from "./checkpoint.ts";
import { nativeScale } from "./components.ts";
import { type Prompt, PromptEncoder, type PromptText } from "./prompt.ts";
import type { ScheduleConfig } from "./schedule.ts";

/** What the steps of an edit have in common, before it is embedded. */
export interface GivenTokens {
  /** Packed tokens of the references, [Lr, C]. */
  referenceLatents: Float32Array;
  prompt: Pick<Prompt, "promptEmbeds">;
  /** What LoRAs add to the layers. @default nothing */
  adapters?: Adapters | undefined;
}

/** The same with the width of the blocks: [Lr, width] and [Lt, width]. */
export interface EmbeddedTokens {
  referenceStates: Tensor;
  textStates: Tensor;
}

/** What the transformer predicts the velocity from. */
export interface VelocityInputs {
  /** Packed tokens of the target, [L, C]. */
  latents: Float32Array;
  embedded: EmbeddedTokens;
  /** For text, target and reference, in this order. */
  rotary: RotaryTable;
  /** What `modulations` returned for this step and prompt. */
  modulation: Tensor;
  /** What LoRAs add to the layers. @default nothing */
  adapters?: Adapters | undefined;
}

export class Networks implements LatentSpace {
  readonly flux: FluxConfig;
  readonly autoencoder: AutoencoderConfig;
  readonly schedule: ScheduleConfig;
  readonly native: NativeScale;
  /** Tokens that T5 reads of a text, unless an edit chooses. */
  readonly textLength: number;
  readonly #components: ComponentRunner;
  readonly #prompts: PromptEncoder;
  /** Where the images of an edit meet. */
  readonly batcher: Batcher<VelocityInputs>;
  #sketcher: Promise<LatentSketcher> | undefined;

  constructor(checkpoint: KontextCheckpoint, components: ComponentRunner) {
    const { configs, schedule } = checkpoint;
    this.flux = configs.flux;
    this.autoencoder = configs.autoencoder;
    this.schedule = schedule;
    this.native = nativeScale(configs.autoencoder);
    this.textLength = configs.t5Length;
    this.#components = components;
    this.#prompts = new PromptEncoder(checkpoint, components);
    this.batcher = new Batcher({
      speeds: components.batches.speeds,
      run: (inputs) => this.velocities(inputs),
      onSettled: () => void components.batches.keep(),
    });
  }

  /**
   * Plans the memory of an edit, before any network runs for it.
   * @returns how many images a run of the transformer may take, of those that the edit wants
   * @throws RetouchError MEMORY_INSUFFICIENT
   */
  prepare(edit: EditExtent): Promise<number> {
    return this.#components.prepare(edit);
  }

  /** How many edits have room together. */
  mostTogether(edit: EditExtent): Promise<number> {
    return this.#components.mostTogether(edit);
  }

  encodePrompt(text: PromptText, options?: Parameters<PromptEncoder["encode"]>[1]): Promise<Prompt> {
    return this.#prompts.encode(text, options);
  }

  get tileSide(): number | undefined {
    return this.#components.tileSide;
  }

  latentSize(canvas: Size): Size {
    const { scaleFactor } = this.autoencoder;
    return { width: canvas.width / scaleFactor, height: canvas.height / scaleFactor };
  }

  /** The mode of the latent distribution of pixels [3, height, width]: [C, h, w], normalised as (z - shift) * scale. */
  async encodePixels(pixels: Float32Array, { width, height }: Size): Promise<Float32Array> {
    const { shiftFactor, scalingFactor, latentChannels, scaleFactor } = this.autoencoder;
    const whole = { data: pixels, channels: 3, width, height };
    const half = { to: "cells", cellSide: scaleFactor } as const;
    const mean = await byTiles(this.#components, half, whole, async (tile) => {
      const output = await this.#components.run("encoder", { pixels: tensorOf(tile) });
      return planesOf(output.mean!, latentChannels);
    });
    return mean.data.map((value) => (value - shiftFactor) * scalingFactor);
  }

  /** The pixels [3, height, width], about -1 to 1, of a normalised latent grid [C, h, w]. */
  async decodeLatents(grid: Float32Array, { width, height }: Size): Promise<Float32Array> {
    const { shiftFactor, scalingFactor, latentChannels, scaleFactor } = this.autoencoder;
    const data = grid.map((value) => value / scalingFactor + shiftFactor);
    const whole = { data, channels: latentChannels, width, height };
    const half = { to: "pixels", cellSide: scaleFactor } as const;
    const decoded = await byTiles(this.#components, half, whole, async (tile) => {
      const output = await this.#components.run("decoder", { latents: tensorOf(tile) });
      return planesOf(output.pixels!, 3);
    });
    return decoded.data;
  }

  sketcher(): Promise<LatentSketcher> {
    this.#sketcher ??= fitSketcher(this);
    return this.#sketcher;
  }

  /**
   * The modulation of the transformer's blocks before each step, from the timestep, guidance and the pooled text.
   * @param timesteps noise levels, as the scheduler tells them
   */
  async modulations(
    timesteps: Float32Array,
    guidance: number,
    prompt: Prompt,
    adapters?: Adapters,
  ): Promise<Tensor[]> {
    const inputs = {
      sigmas: { data: timesteps, shape: [timesteps.length] },
      pooledPromptEmbeds: prompt.pooledPromptEmbeds,
      ...(this.flux.hasGuidance && { guidance: { data: Float32Array.of(guidance), shape: [1] } }),
    };
    const { modulation } = await this.#components.run("modulation", inputs, adapters);
    return this.#components.rows(modulation!);
  }

  /** Embeds what every step reads; its numbers are held on the device. */
  async embed({ referenceLatents, prompt, adapters }: GivenTokens): Promise<EmbeddedTokens> {
    const { data, shape } = prompt.promptEmbeds;
    const reference = this.#tokens(referenceLatents);
    const inputs = {
      referenceLatents: reshaped(reference, [1, ...reference.shape]),
      promptEmbeds: { data, shape: [1, ...shape] },
    };
    const { referenceStates, textStates } = await this.#components.run("embedders", inputs, adapters);
    const withoutBatch = (tensor: Tensor): Tensor => reshaped(tensor, tensor.shape.slice(1));
    return { referenceStates: withoutBatch(referenceStates!), textStates: withoutBatch(textStates!) };
  }

  /** The velocity of the target's tokens, [L, C], from what is not yet embedded. */
  async velocity(inputs: Omit<VelocityInputs, "embedded"> & GivenTokens): Promise<Float32Array> {
    const { referenceLatents: _, prompt: __, ...others } = inputs;
    return (await this.velocities([{ ...others, embedded: await this.embed(inputs) }]))[0]!;
  }

  /** Those of several images of one shape and with the same adapters, by one run. */
  async velocities(inputs: readonly VelocityInputs[]): Promise<Float32Array[]> {
    const tensors: Record<string, Tensor>[] = [];
    for (const one of inputs) tensors.push(await this.#transformerInputs(one));
    const hasSeveral = inputs.length > 1;
    const all = { ...stacked(tensors), ...(hasSeveral && { modulationOfEach: ofEachImage(inputs) }) };
    const [{ adapters }] = inputs as [VelocityInputs];
    const { velocity } = await this.#components.run("transformer", all, adapters, { hasSeveral });
    return unstacked(velocity!);
  }

  /** All inputs but `latents` are those of an edit, and held. */
  async #transformerInputs(inputs: VelocityInputs): Promise<Record<string, Tensor>> {
    const { headSize } = this.flux;
    const { latents, embedded, rotary, modulation } = inputs;
    const rotaryShape = [rotary.cos.length / (headSize / 2), headSize / 2];
    const held = await this.#components.hold({
      rotaryCos: { data: rotary.cos, shape: rotaryShape },
      rotarySin: { data: rotary.sin, shape: rotaryShape },
    });
    return {
      ...held,
      ...embedded,
      latents: this.#tokens(latents),
      modulation: reshaped(modulation, [1, modulation.shape[0]!]),
    };
  }

  /** Of an edit's inputs, which have the same adapters, those of one shape can be taken by one run. */
  shapeOf({
    numTokens,
    referenceLatents,
    promptEmbeds,
  }: Pick<GivenTokens, "referenceLatents"> & Pick<Prompt, "promptEmbeds"> & { numTokens: number }): string {
    return [numTokens, referenceLatents.length / this.flux.inChannels, promptEmbeds.shape[0]].join("+");
  }

  /** Packed latents as a tensor [L, C]. */
  #tokens(latents: Float32Array): Tensor {
    const { inChannels } = this.flux;
    return { data: latents, shape: [latents.length / inChannels, inChannels] };
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

/** The modulation of each image, [MAX_IMAGES, size]; there need not be anything behind the last. */
function ofEachImage(inputs: readonly Pick<VelocityInputs, "modulation">[]): Tensor {
  const size = inputs[0]!.modulation.data.length;
  const data = new Float32Array(MAX_IMAGES * size);
  inputs.forEach(({ modulation }, image) => data.set(modulation.data as Float32Array, image * size));
  return { data, shape: [MAX_IMAGES, size] };
}
