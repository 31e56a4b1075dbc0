/** The only list of model families. */
import { anyOf, invalid, RetouchError } from "../errors.ts";
import { readAutoSteps } from "../engine/auto-steps.ts";
import { type ModelCard, readModelCard } from "../engine/model-card.ts";
import type { Model } from "../engine/model.ts";
import type { EditDefaults } from "../engine/model-traits.ts";
import { Checkpoint, checkpointName, type SingleFiles } from "../weights/checkpoint.ts";
import { flux1Kontext } from "./flux1-kontext/pipeline.ts";
import { flux2Klein, flux2KleinKV } from "./flux2-klein/pipeline.ts";
import type { ModelOptions, NamedDefaults, Pipeline } from "./pipeline.ts";

/** Every pipeline that this package knows, a model family each. */
export const PIPELINES: readonly Pipeline[] = [flux1Kontext, flux2Klein, flux2KleinKV];

/** The models of all families by name, with what each does where an edit does not choose. */
export const MODEL_DEFAULTS: readonly NamedDefaults[] = [
  ...new Map(PIPELINES.flatMap(({ models = [] }) => models.map((model) => [model.name, model]))).values(),
];

/**
 * Opens a checkpoint with the pipeline that its `model_index.json` names.
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming folder or file;
 * INVALID_PARAMETER for an option that the pipeline does not have
 */
export async function openModel(
  folder: string,
  files: SingleFiles = {},
  pipelines: readonly Pipeline[] = PIPELINES,
  options: ModelOptions = {},
): Promise<{ checkpoint: Checkpoint; pipeline: Pipeline; model: Model; defaults: EditDefaults }> {
  const { checkpoint, pipeline, defaults } = await openCheckpoint(folder, files, pipelines);
  if (options.referenceCache !== undefined && !pipeline.takesReferenceCache) {
    throw invalid("unsupported", {
      field: "referenceCache",
      reason: "the model of this checkpoint sees its image in every step",
    });
  }
  return { checkpoint, pipeline, defaults, model: await pipeline.components(checkpoint, options) };
}

export interface OpenedCheckpoint {
  checkpoint: Checkpoint;
  pipeline: Pipeline;
  /** For people. */
  name: string;
  defaults: EditDefaults;
  /** Absent where the checkpoint says nothing of itself. */
  card: ModelCard | undefined;
}

/** The same, without reading more than the files beside the components' folders. @throws as {@link openModel} */
export async function openCheckpoint(
  folder: string,
  files: SingleFiles = {},
  pipelines: readonly Pipeline[] = PIPELINES,
): Promise<OpenedCheckpoint> {
  const checkpoint = await Checkpoint.open(folder, files);
  const pipeline = pipelines.find(({ className }) => className === checkpoint.className);
  if (pipeline === undefined) {
    const wanted = anyOf(pipelines.map(({ className }) => `a ${className}`));
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `The checkpoint ${folder} is a ${checkpoint.className}; ${wanted} is wanted.`,
    );
  }
  const defaults = { ...pipeline.defaultsOf(checkpoint.index), autoSteps: await readAutoSteps(checkpoint) };
  const card = await readModelCard(checkpoint);
  return { checkpoint, pipeline, name: checkpointName(checkpoint.folder), defaults, card };
}
