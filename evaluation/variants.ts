/** How the scenes are edited in each part, and the keys by which what was measured is found. */
import type { Part } from "./options.ts";
import { shuffledPlaces } from "./permutation.ts";
import type { Plan } from "./plan.ts";
import type { Chain, Scene } from "./scene-list.ts";
import type { Selection } from "./selection.ts";

/** How a scene is edited; `instructionOf` is another scene whose instruction it gets. */
export interface Variant {
  guidance: number;
  numSteps: number;
  instructionOf?: Scene | undefined;
}

export const editKey = (scene: Scene, { guidance, numSteps, instructionOf }: Variant): string =>
  `scene ${scene.id}, guidance ${guidance}, steps ${numSteps}${instructionOf ? `, instruction of ${instructionOf.id}` : ""}`;
export const nothingKey = (scene: Scene): string => `scene ${scene.id}, nothing done`;
export const autoencoderKey = (scene: Scene): string => `scene ${scene.id}, autoencoder`;
export const chainKey = (chain: Chain, edit: number, { guidance, numSteps }: Variant): string =>
  `chain ${chain.id}, edit ${edit}, guidance ${guidance}, steps ${numSteps}`;

/** The scenes and how each is edited, part by part. */
export function variantsOf(
  part: Part,
  selection: Selection,
  plan: Plan,
  allScenes: readonly Scene[],
): { scene: Scene; variant: Variant }[] {
  const { guidance, numSteps } = plan;
  const all = (scenes: readonly Scene[], variants: readonly Variant[]) =>
    scenes.flatMap((scene) => variants.map((variant) => ({ scene, variant })));
  if (part === "scenes") return all(selection.scenes, [{ guidance, numSteps }]);
  if (part === "guidance") {
    return all(
      selection.probe,
      plan.guidances.map((guidance) => ({ guidance, numSteps })),
    );
  }
  if (part === "steps") {
    return all(
      selection.probe,
      plan.steps.map((numSteps) => ({ guidance, numSteps })),
    );
  }
  if (part !== "shuffled") return [];
  // Of the whole set: a scene gets the same instruction however many are chosen.
  const partners = shuffledPlaces(allScenes.map(({ kind }) => kind));
  return selection.scenes.map((scene) => {
    return { scene, variant: { guidance, numSteps, instructionOf: allScenes[partners[scene.id]!]! } };
  });
}
