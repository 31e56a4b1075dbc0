/** FLUX.1 Kontext as a model family: it takes one image and an instruction. */
import { type ComponentOptions, Components } from "../../engine/components.ts";
import type { Model } from "../../engine/model.ts";
import type { RuntimeOptions } from "../../runtime/session.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { Pipeline } from "../pipeline.ts";
import { type KontextCheckpoint, readKontext } from "./checkpoint.ts";
import { planKontext } from "./components.ts";
import { editImage } from "./edit.ts";
import { createFindTarget } from "./lora-targets.ts";
import { Networks } from "./networks.ts";

export const flux1Kontext: Pipeline = {
  className: "FluxKontextPipeline",
  weightFolders: ["transformer", "vae", "text_encoder", "text_encoder_2"],
  maxImages: 1,
  takesMask: false,
  components: async (checkpoint) => modelOf(await readKontext(checkpoint)),
};

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

function modelOf(read: KontextCheckpoint): Model {
  return {
    ...planKontext(read.configs),
    stored: read.stored,
    findLoraTarget: createFindTarget(read.configs.flux),
    createEditor(components) {
      const networks = new Networks(read, components);
      return { edit: ([image], request, options) => editImage(networks, image!, request, options) };
    },
  };
}
