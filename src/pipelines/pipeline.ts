/** What the engine knows about a model family. */
import type { Model } from "../engine/model.ts";
import type { EditDefaults, ImageLimits } from "../engine/model-traits.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Config } from "../weights/config.ts";

/** How a checkpoint is run, beside what its files say. */
export interface ModelOptions {
  /** As in `EngineOptions`. */
  referenceCache?: ReferenceCache | undefined;
}

/** What the option `referenceCache` accepts. */
export const REFERENCE_CACHES = ["approximate"] as const;
/** How FLUX.2 [klein] looks at its images: in every step, or once per edit. */
export type ReferenceCache = (typeof REFERENCE_CACHES)[number];

/** A model's name and its defaults. */
export interface NamedDefaults {
  /** As a sentence has it. */
  name: string;
  defaults: EditDefaults;
}

export interface Pipeline extends ImageLimits {
  /** Its name in `model_index.json`. */
  readonly className: string;
  /** The folders of a checkpoint that hold weights. */
  readonly weightFolders: readonly string[];
  /** Whether an edit can be limited by a mask. */
  readonly takesMask: boolean;
  /** What an edit does that does not choose; a field of `model_index.json` may decide. */
  defaultsOf(index: Config): EditDefaults;
  /** Its models by name, with their defaults, for help that is shown before a checkpoint is known. */
  readonly models?: readonly NamedDefaults[];
  /** Whether an edit may take the sizes of the reference implementation. @default false */
  readonly takesSizeRule?: boolean;
  /** Whether its checkpoints may be run with `referenceCache`. @default false */
  readonly takesReferenceCache?: boolean;
  /** Whether edits take tensors of the caller's, and draw the noise of several images at once. @default false */
  readonly takesTensors?: boolean;
  /** Whether the embeddings of a text include a pooled one. @default true */
  readonly isPooled?: boolean;
  /**
   * Reads the configurations of a checkpoint and the headers of its weights: the components as data, and how to edit
   * with them.
   * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file
   */
  components(checkpoint: Checkpoint, options?: ModelOptions): Promise<Model>;
}
