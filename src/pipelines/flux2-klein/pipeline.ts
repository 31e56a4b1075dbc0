/** FLUX.2 [klein] as a model family: an instruction, and no image to four. */
import type { EditDefaults } from "../../engine/request.ts";
import type { Pipeline } from "../pipeline.ts";
import { isDistilled, type KleinForm } from "./checkpoint.ts";
import { IMAGES } from "./images.ts";

/** The reference's own for a model that was not distilled. */
const UNDISTILLED: EditDefaults = { numSteps: 50, guidance: 4 };
/** Four steps; guidance of one means none. */
const DISTILLED: EditDefaults = { numSteps: 4, guidance: 1 };

/** Both classes read the same folders; the other one's checkpoints are trained to have their references kept. */
export const flux2Klein: Pipeline = pipelineOf("Flux2KleinPipeline", { areReferencesKept: false });
export const flux2KleinKV: Pipeline = pipelineOf("Flux2KleinKVPipeline", { areReferencesKept: true });

function pipelineOf(className: string, form: KleinForm): Pipeline {
  return {
    className,
    weightFolders: ["transformer", "vae", "text_encoder"],
    ...IMAGES,
    takesMask: false,
    defaultsOf: (index) => (isDistilled(index, form) ? DISTILLED : UNDISTILLED),
    takesTensors: true,
    isPooled: false,
    // Loaded late: a server asks what the family takes, and opens no checkpoint.
    async components(checkpoint, { referenceCache } = {}) {
      const isApproximate = referenceCache === "approximate" && !form.areReferencesKept;
      const chosen = isApproximate ? { areReferencesKept: true, isApproximate } : form;
      return (await import("./model.ts")).openKlein(checkpoint, chosen);
    },
  };
}
