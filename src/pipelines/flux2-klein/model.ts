/** A checkpoint of FLUX.2 [klein], opened: its networks as data, and how to edit with them. */
import { type ComponentOptions, Components } from "../../engine/components.ts";
import type { Model } from "../../engine/model.ts";
import type { RuntimeOptions } from "../../runtime/session.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import { type KleinCheckpoint, type KleinForm, readKlein } from "./checkpoint.ts";
import { planKlein } from "./components.ts";
import { editImages } from "./edit.ts";
import { Networks } from "./networks.ts";

/**
 * The networks without an engine around them, for code that looks at one stage of an edit.
 * @throws RetouchError as `Components.load` and the pipeline's `components` do
 */
export async function loadNetworks(
  checkpoint: Checkpoint,
  form: KleinForm,
  runtime: RuntimeOptions,
  options?: ComponentOptions,
): Promise<Networks> {
  const read = await readKlein(checkpoint, form);
  return new Networks(read, await Components.load(modelOf(read), runtime, options));
}

/** @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file */
export const openKlein = async (checkpoint: Checkpoint, form: KleinForm): Promise<Model> =>
  modelOf(await readKlein(checkpoint, form));

function modelOf(read: KleinCheckpoint): Model {
  return {
    ...planKlein(read.configs),
    stored: read.stored,
    findLoraTarget: () => undefined,
    createEditor(components) {
      const networks = new Networks(read, components);
      return { edit: (images, request, options) => editImages(networks, images, request, options) };
    },
  };
}
