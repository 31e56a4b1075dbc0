/** What the engine knows of one checkpoint of a model family: its networks as data, and how to edit with them. */
import type { FindTarget } from "../lora/targets.ts";
import type { Picture } from "../images/picture.ts";
import type { ChosenLoras } from "../lora/registry.ts";
import type { StoredWeights } from "../quantize/prepare.ts";
import type { Adapters } from "../models/adapters.ts";
import type { Tensor } from "../runtime/session.ts";
import type { ComponentDefinition } from "./component.ts";
import type { EditExtent } from "./extent.ts";
import type { Kept } from "./keep-unchanged.ts";
import type { ResolvedRequest, Size } from "./request.ts";
import type { NativeScale, SizePlan } from "./sizes.ts";

/** What can be planned from configurations alone, without any file of weights. */
export interface ModelPlan {
  /** In the order in which an edit needs them. */
  readonly components: readonly ComponentDefinition[];
  readonly native: NativeScale;
  /** Bytes that an edit holds from its first step to its last, apart from networks. */
  heldBytes(edit: EditExtent): number;
}

export interface Model extends ModelPlan {
  /** Weights as the checkpoint has them, by the names that the components know them by; those of the largest network first. */
  readonly stored: Readonly<Record<string, StoredWeights>>;
  /** Finds the layers that a module of a LoRA stands for. */
  readonly findLoraTarget: FindTarget;
  createEditor(components: ComponentRunner): Editor;
}

/** The components of a model, each loaded when it is needed at the latest. */
export interface ComponentRunner {
  /** Side of the tiles, in pixels, that components work in which can; undefined where they take images whole. */
  readonly tileSide: number | undefined;
  /** Whether every network stays loaded. */
  readonly isResident: boolean;
  /**
   * Plans the memory of an edit, before any network runs for it.
   * @throws RetouchError MEMORY_INSUFFICIENT
   */
  prepare(edit: EditExtent): Promise<void>;
  /** Runs a network by its component's name. @param adapters what LoRAs add to its layers, by their keys */
  run(
    name: string,
    inputs: Readonly<Record<string, Tensor>>,
    adapters?: Adapters,
  ): Promise<Record<string, Tensor>>;
  /** Releases every network, after what runs. */
  dispose(): Promise<void>;
}

export interface Editor {
  /**
   * Edits images: yields after every step, returns the result.
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
  /** Whether what `sketch()` needs is there before the first step; otherwise its first call waits. */
  isSketched?: boolean | undefined;
  /** Read once there is room for them. */
  loras?: ChosenLoras | undefined;
  /** White where the first image may change; absent where all of it may. */
  mask?: Picture | undefined;
  /** Other working sizes than the recipe's own. */
  sizes?: SizePlan | undefined;
}

/** A finished step of the denoising loop. */
export interface EditStep {
  /** 1 to `of`. */
  step: number;
  of: number;
  /** Since the first step began. */
  seconds: number;
  /** The target's packed latents after this step, [L, C]. */
  latents: Float32Array;
  /** Decodes what the image would be if the loop ended here, at working size; costs about one decoding. */
  preview(): Promise<Picture>;
  /** Draws the same roughly and small, at most 256 pixels a side, in next to no time. */
  sketch(): Promise<Picture>;
}

export interface EditOutcome {
  picture: Picture;
  size: Size;
  /** Pixels that the network drew and saw, without padding. */
  workingSize: Size;
  referenceSize: Size;
  /** Whether the negative prompt took effect. */
  isNegativeUsed: boolean;
  /** Where that was asked for and possible: what is the source's own. */
  kept?: Kept | undefined;
  /** What the user should know about the result, in sentences. */
  notices: string[];
}
