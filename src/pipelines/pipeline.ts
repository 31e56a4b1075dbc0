/** What the engine knows about a model family. */
import type { Model } from "../engine/model.ts";
import type { EditDefaults, ImageLimits } from "../engine/request.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Config } from "../weights/config.ts";

export interface Pipeline extends ImageLimits {
  /** Its name in `model_index.json`. */
  readonly className: string;
  /** The folders of a checkpoint that hold weights. */
  readonly weightFolders: readonly string[];
  /** Whether an edit can be limited by a mask. */
  readonly takesMask: boolean;
  /** What an edit does that does not choose; a field of `model_index.json` may decide. */
  defaultsOf(index: Config): EditDefaults;
  /** Whether edits take tensors of the caller's, and draw the noise of several images at once. @default false */
  readonly takesTensors?: boolean;
  /** Whether the embeddings of a text include a pooled one. @default true */
  readonly isPooled?: boolean;
  /**
   * Reads the configurations of a checkpoint and the headers of its weights: the components as data, and how to edit
   * with them.
   * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file
   */
  components(checkpoint: Checkpoint): Promise<Model>;
}
