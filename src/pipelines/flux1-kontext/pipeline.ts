/** FLUX.1 Kontext as a model family: one image and an instruction, or more images, placed as an edit chooses. */
import { USUAL_DEFAULTS } from "../../engine/model-traits.ts";
import type { Pipeline } from "../pipeline.ts";

export const flux1Kontext: Pipeline = {
  className: "FluxKontextPipeline",
  weightFolders: ["transformer", "vae", "text_encoder", "text_encoder_2"],
  minImages: 1,
  maxImages: 4,
  layouts: ["index", "offset", "stitch"],
  needsLayout: true,
  takesMask: true,
  defaultsOf: () => USUAL_DEFAULTS,
  models: [{ name: "FLUX.1 Kontext", defaults: USUAL_DEFAULTS }],
  takesTensors: true,
  // Loaded late: a server asks what the family takes, and opens no checkpoint.
  components: async (checkpoint) => (await import("./model.ts")).openKontext(checkpoint),
};
