/** FLUX.1 Kontext as a model family: one image and an instruction. */
import { invalid } from "../../errors.ts";
import { USUAL_DEFAULTS } from "../../engine/request.ts";
import type { Pipeline } from "../pipeline.ts";

export const flux1Kontext: Pipeline = {
  className: "FluxKontextPipeline",
  weightFolders: ["transformer", "vae", "text_encoder", "text_encoder_2"],
  minImages: 1,
  maxImages: 1,
  takesMask: false,
  defaultsOf: () => USUAL_DEFAULTS,
  takesTensors: true,
  // Loaded late: a server asks what the family takes, and opens no checkpoint.
  async components(checkpoint, { referenceCache } = {}) {
    if (referenceCache !== undefined) {
      throw invalid("unsupported", {
        field: "referenceCache",
        reason: "the model of this checkpoint sees its image in every step",
      });
    }
    return (await import("./model.ts")).openKontext(checkpoint);
  },
};
