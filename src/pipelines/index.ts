/** The only list of model families. */
import { RetouchError } from "../errors.ts";
import type { Model } from "../engine/model.ts";
import { Checkpoint, type SingleFiles } from "../weights/checkpoint.ts";
import { flux1Kontext } from "./flux1-kontext/pipeline.ts";
import { flux2Klein, flux2KleinKV } from "./flux2-klein/pipeline.ts";
import type { ModelOptions, Pipeline } from "./pipeline.ts";

export const PIPELINES: readonly Pipeline[] = [flux1Kontext, flux2Klein, flux2KleinKV];

/** The pipeline that a checkpoint's `model_index.json` names; undefined if there is no checkpoint here. */
export async function findPipeline(
  folder: string,
  pipelines: readonly Pipeline[] = PIPELINES,
): Promise<Pipeline | undefined> {
  const checkpoint = await Checkpoint.open(folder).catch(() => undefined);
  return pipelines.find(({ className }) => className === checkpoint?.className);
}

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
): Promise<{ checkpoint: Checkpoint; pipeline: Pipeline; model: Model }> {
  const checkpoint = await Checkpoint.open(folder, files);
  const pipeline = pipelines.find(({ className }) => className === checkpoint.className);
  if (pipeline === undefined) {
    const wanted = pipelines
      .map(({ className }) => `a ${className}`)
      .join(", ")
      .replace(/, (?=[^,]*$)/, " or ");
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `The checkpoint ${folder} is a ${checkpoint.className}; ${wanted} is wanted.`,
    );
  }
  return { checkpoint, pipeline, model: await pipeline.components(checkpoint, options) };
}
