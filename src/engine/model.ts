/** What the engine knows about one checkpoint of a model family: its networks as data, and how to edit with them. */
import type { FindTarget } from "../lora/targets.ts";
import type { DecodedSource, DeepPicture } from "../images/deep-picture.ts";
import type { GrayPicture, Picture } from "../images/picture.ts";
import type { ChosenLoras } from "../lora/registry.ts";
import type { StoredWeights } from "../quantize/prepare.ts";
import type { Adapters } from "../models/adapters.ts";
import type { Tensor } from "../runtime/session.ts";
import type { ReuseBudget } from "../sampling/reuse.ts";
import type { ReuseTally } from "../sampling/sampler.ts";
import type { DrawState } from "../sampling/draw-state.ts";
import type { SamplerState } from "../sampling/state.ts";
import type { Batches } from "./batches/batches.ts";
import type { ComponentDefinition } from "./component.ts";
import type { Encodings } from "./encodings.ts";
import type { BatchPlace } from "../sampling/noise.ts";
import type { GroupMember } from "./edit-group.ts";
import type { EditExtent, SecondPass, UsualPasses } from "./extent.ts";
import type { FloatTensor, GivenEmbeds } from "./given-tensors.ts";
import type { Kept } from "../preserve/compose.ts";
import type { ImageLimits } from "./model-traits.ts";
import type { ResolvedRequest, Size } from "./request.ts";
import type { NativeScale, SizePlan } from "./sizes.ts";
import type { Stopwatch } from "./stopwatch.ts";

/** What can be planned from configurations alone, without any weight files. */
export interface ModelPlan {
  /** In the order in which an edit needs them. */
  readonly components: readonly ComponentDefinition[];
  readonly native: NativeScale;
  /**
   * Weights as the checkpoint has them, by the names the components use; those of the largest network first. Absent where
   * only sizes are known.
   */
  readonly stored?: Readonly<Record<string, StoredWeights>>;
  /** Bytes that an edit holds from its first step to its last, apart from the networks. */
  heldBytes(edit: EditExtent): number;
  /** What an edit does that does not choose, as far as memory and time depend on it. @default {@link USUAL_PASSES} */
  readonly usual?: UsualPasses;
  /** @default "negative" */
  readonly secondPass?: SecondPass;
  /** How many images an edit takes. @default one */
  readonly images?: ImageLimits;
}

export interface Model extends ModelPlan {
  readonly stored: Readonly<Record<string, StoredWeights>>;
  /** Finds the layers that a module of a LoRA adapts. */
  readonly findLoraTarget: FindTarget;
  createEditor(components: ComponentRunner): Editor;
}

/** A model's components, each loaded no later than it is needed. */
export interface ComponentRunner {
  /** Side of the tiles, in pixels, for components that can work in tiles; undefined if they process whole images. */
  readonly tileSide: number | undefined;
  /**
   * Plans the memory of an edit, before any network runs for it.
   * @returns how many images a run of the transformer may take, of those that the edit wants
   * @throws RetouchError MEMORY_INSUFFICIENT; NotTogether for several members that do not all have room
   */
  prepare(edit: EditExtent): Promise<number>;
  /** How many edits have room together, each with as many images a run as `edit.atOnce` says. */
  mostTogether(edit: EditExtent): Promise<number>;
  /** Whether networks that take several images run with more than one. */
  readonly batches: Batches;
  /**
   * Runs a network by its component's name.
   * @param adapters what LoRAs add to its layers, by layer key; the same ones until `free`
   * @param options.hasSeveral whether the inputs are those of several images, of a network that takes them @default false
   */
  run(
    name: string,
    inputs: Readonly<Record<string, Tensor>>,
    adapters?: Adapters,
    options?: { hasSeveral?: boolean },
  ): Promise<Record<string, Tensor>>;
  /**
   * Inputs that networks read where they are from now on: on a device with a memory of its own they travel once, however
   * often this is asked for. Their numbers must not change until `free`.
   */
  hold<Name extends string>(tensors: Readonly<Record<Name, Tensor>>): Promise<Record<Name, Tensor>>;
  /** The rows [m] of a tensor [n, m], in whose place they are. */
  rows(tensor: Tensor): Promise<Tensor[]>;
  /** Ends an edit: frees what is held, and outputs of components whose outputs are held. */
  free(): void;
  /** Releases every network, once the running one has finished. */
  dispose(): Promise<void>;
}

export interface Editor {
  /**
   * Edits images: yields after every step and returns the result.
   * @throws RetouchError ABORTED within one step of `signal`; MEMORY_INSUFFICIENT before anything is loaded
   */
  edit(
    images: readonly Picture[],
    request: ResolvedRequest,
    options?: EditorOptions,
  ): AsyncGenerator<EditStep, EditOutcome>;
}

export interface EditorOptions {
  signal?: AbortSignal | undefined;
  /** Whether to prepare `sketch()` before the first step; otherwise its first call waits. */
  isSketched?: boolean | undefined;
  /** What earlier edits of the same owner encoded. @default nothing is kept */
  encodings?: Encodings | undefined;
  /** LoRAs to use; they are read once there is room for them. */
  loras?: ChosenLoras | undefined;
  /** What the file of the first image holds besides the picture, for a recipe that copies from it. */
  source?: DecodedSource | undefined;
  /** Of the first image's size and not black: white where that image may change; absent if all of it may. */
  mask?: GrayPicture | undefined;
  /** Embeddings in place of the prompts, and [L, C] latents to begin with, for a pipeline that takes them. */
  given?: GivenForImage | undefined;
  /** The images to draw, all from one prompt and the same references. @default one, of the request's seed */
  draws?: readonly Draw[] | undefined;
  /** Whether the last latents are all that is wanted: nothing is decoded. @default false */
  isLatentOnly?: boolean | undefined;
  /** How much error the steps may make by going on along earlier velocities. @default every step is computed */
  reuse?: ReuseBudget | undefined;
  /** Its place among the edits that run together with it. @default it runs alone, and nobody asks whether others could */
  member?: GroupMember | undefined;
  /** Measures the parts of the edit, all but denoising. */
  stopwatch?: Stopwatch | undefined;
  /** Working sizes to use instead of the recipe's own. */
  sizes?: SizePlan | undefined;
  /**
   * Gives the state in which an earlier run of the same edit was interrupted, if there is one whose latents have this
   * shape. A recipe that can go on from a state asks once, before its first step; it draws the images after those that were
   * finished, and of those that have states takes the steps after `step` only.
   */
  resume?: ((latentShape: readonly number[]) => DrawState | undefined) | undefined;
}

/** One image to draw. */
export interface Draw {
  /** Of its noise. */
  seed: number;
  /** Which image of how many that share their draws of noise. @default the only one */
  place?: BatchPlace | undefined;
  /** Packed latents [L, C] to begin with. @default noise */
  latents?: FloatTensor | undefined;
}

/** What the caller gives for one image. */
export interface GivenForImage {
  embeds?: GivenEmbeds | undefined;
  negativeEmbeds?: GivenEmbeds | undefined;
  latents?: FloatTensor | undefined;
}

/** A finished step of the denoising loop. */
export interface EditStep {
  /** 1 to `of`. */
  step: number;
  of: number;
  /** If several images are made: which one, 0 for the first. */
  image?: number | undefined;
  /** How many are made. @default 1 */
  numImages?: number | undefined;
  /** Where all of them stand after this step; images may be drawn side by side. @default this image is the only one */
  drawn?: DrawState | undefined;
  /** Seconds since the first step of the first image began; of a resumed edit, since its first step after the interruption. */
  seconds: number;
  /** The target's packed latents after this step, [L, C]. */
  latents: Float32Array;
  /** What it takes to go on after this step; absent if the recipe asks for no state. */
  state?: SamplerState | undefined;
  /** What of the steps so far was reused; absent if every step is computed. */
  reuse?: ReuseTally | undefined;
  /** Decodes the image as it would be if the loop ended here, at working size; costs about one decoding. */
  preview(): Promise<Picture>;
  /** Draws a rough, small version of it, at most 256 pixels per side, in next to no time. */
  sketch(): Promise<Picture>;
}

/** One image that was drawn. */
export interface DrawnImage {
  /** Absent if only latents were wanted. */
  picture?: Picture | undefined;
  /**
   * The same with numbers copied from the first image's file, in its space, depth and transparency; it is what is written
   * in place of `picture`. Absent if nothing was copied so.
   */
  deep?: DeepPicture | undefined;
  /** Whether `picture` is what was drawn, enlarged to at least twice its sides. @default false */
  isEnlarged?: boolean | undefined;
  /** The last packed latents, [L, C], of a recipe that has such latents. */
  latents?: FloatTensor | undefined;
  /** What of its steps was reused; absent if a budget for that was not given, or had no effect. */
  reuse?: ReuseTally | undefined;
  /** SHA-256, in hex, of the packed noise that it began with; absent if an interrupted run had finished it. */
  noise?: string | undefined;
  /** What is kept of the source, if this was requested and possible. */
  kept?: Kept | undefined;
}

/** How much a transformer read and drew, in its own tokens: each is a word piece, or a small square of an image. */
export interface EditTokens {
  /** Of the prompt, with the padding that the network reads as well. */
  text: number;
  /** Of all images that it saw. */
  images: number;
  /** Of each image that it drew. */
  result: number;
}

/** What came of an edit, with its first image. */
export interface EditOutcome extends DrawnImage {
  /** All images, if there were several to draw. */
  images?: readonly DrawnImage[] | undefined;
  size: Size;
  /** Pixels that the network generated and saw, without padding. */
  workingSize: Size;
  /** The same of the first image; absent if there is none. */
  referenceSize?: Size | undefined;
  /** The same of every image. */
  referenceSizes: readonly Size[];
  /** What the network read and drew. @default unknown */
  tokens?: EditTokens | undefined;
  /** Whether there was a second pass, away from the negative prompt or the empty text. */
  isNegativeUsed: boolean;
  /** Strength of the second pass, where guidance decides it. @default the request's `trueCfgScale` */
  trueCfgScale?: number | undefined;
  /**
   * How much of the result, from its top left, the first image covers; absent if both differ in shape, or there is no
   * image.
   */
  sourceInResult?: Size | undefined;
  /**
   * How many edits like this one are worth running together, as far as that was measured; absent if nobody asked, or the
   * recipe runs images one at a time.
   */
  worthTogether?: number | undefined;
  /** What the user should know about the result, as sentences. */
  notices: string[];
}
