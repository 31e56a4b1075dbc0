/** FLUX.1 Kontext as a model family: one image and an instruction. */
import type { Pipeline } from "../pipeline.ts";

export const flux1Kontext: Pipeline = {
  className: "FluxKontextPipeline",
  weightFolders: ["transformer", "vae", "text_encoder", "text_encoder_2"],
  maxImages: 1,
  takesMask: false,
  takesTensors: true,
  // Loaded late: a server asks what the family takes, and opens no checkpoint.
  components: async (checkpoint) => (await import("./model.ts")).openKontext(checkpoint),
};
