/** FLUX.2 [klein] as a model family: an instruction, and no image to four. */
import type { EditDefaults } from "../../engine/model-traits.ts";
import type { Pipeline } from "../pipeline.ts";
import { isDistilled, type KleinForm } from "./checkpoint.ts";
import { DISTILLED_STEPS, UNDISTILLED_STEPS } from "./components.ts";
import { IMAGES } from "./images.ts";

/** The reference's own for a model that was not distilled. */
const UNDISTILLED: EditDefaults = { numSteps: UNDISTILLED_STEPS, guidance: 4 };
/** Guidance of one means none. */
const DISTILLED: EditDefaults = { numSteps: DISTILLED_STEPS, guidance: 1, isGuided: false };

/** Both classes read the same folders; the other one's checkpoints are trained to have their references kept. */
export const flux2Klein: Pipeline = pipelineOf("Flux2KleinPipeline", { areReferencesKept: false });
export const flux2KleinKV: Pipeline = pipelineOf("Flux2KleinKVPipeline", { areReferencesKept: true });

function pipelineOf(className: string, form: KleinForm): Pipeline {
  return {
    className,
    weightFolders: ["transformer", "vae", "text_encoder"],
    ...IMAGES,
    takesMask: true,
    models: [
      { name: "a distilled FLUX.2 [klein]", defaults: DISTILLED },
      { name: "another", defaults: UNDISTILLED },
    ],
    takesSizeRule: true,
    takesReferenceCache: true,
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
