/** A checkpoint of FLUX.1 Kontext, opened: its networks as data, and how to edit with them. */
import { type ComponentOptions, Components } from "../../engine/components.ts";
import type { Model } from "../../engine/model.ts";
import type { RuntimeOptions } from "../../runtime/session.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import { type KontextCheckpoint, readKontext } from "./checkpoint.ts";
import { planKontext } from "./components.ts";
import { editImage } from "./edit.ts";
import { createFindTarget } from "./lora-targets.ts";
import { Networks } from "./networks.ts";

/**
 * The networks without an engine around them, for code that looks at one stage of an edit.
 * @throws RetouchError as `Components.load` and the pipeline's `components` do
 */
export async function loadNetworks(
  checkpoint: Checkpoint,
  runtime: RuntimeOptions,
  options?: ComponentOptions,
): Promise<Networks> {
  const read = await readKontext(checkpoint);
  return new Networks(read, await Components.load(modelOf(read), runtime, options));
}

/** @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file */
export const openKontext = async (checkpoint: Checkpoint): Promise<Model> =>
  modelOf(await readKontext(checkpoint));

function modelOf(read: KontextCheckpoint): Model {
  return {
    ...planKontext(read.configs),
    stored: read.stored,
    findLoraTarget: createFindTarget(read.configs.flux, read.configs.clip),
    createEditor(components) {
      const networks = new Networks(read, components);
      return { edit: (images, request, options) => editImage(networks, images, request, options) };
    },
  };
}
