/** Which scenes and chains are measured, how they are edited in each part, and the keys that measurements are stored by. */
import type { Part, Plan } from "./options.ts";
import type { Chain, Scene, SceneList } from "./set.ts";
import { groupsOf } from "./statistics.ts";

export interface Selection {
  scenes: readonly Scene[];
  probe: readonly Scene[];
  chains: readonly Chain[];
}

/** @param limit how many scenes; probe and chains are reduced in proportion, to at least one of each */
export function select({ scenes, chains }: SceneList, limit = Infinity): Selection {
  const kept = Math.min(limit, scenes.length);
  const probe = scenes.filter((scene) => scene.probe);
  const reduced = (count: number): number => Math.ceil((count * kept) / scenes.length);
  return {
    scenes: spread(scenes, reduced(scenes.length)),
    probe: spread(probe, reduced(probe.length)),
    chains: chains.slice(0, reduced(chains.length)),
  };
}

/** The first scene of each kind, then the second of each, and so on up to `count`; in the order of the set. */
function spread(scenes: readonly Scene[], count: number): Scene[] {
  const groups = [...groupsOf(scenes, ({ kind }) => kind).values()];
  const rounds = Math.max(0, ...groups.map((group) => group.length));
  const chosen = Array.from({ length: rounds }, (_, round) => groups.flatMap((group) => group[round] ?? []));
  return chosen
    .flat()
    .slice(0, count)
    .toSorted((a, b) => a.id - b.id);
}

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
  // From the whole set, so that a scene gets the same instruction however many are chosen.
  const partners = shuffledPlaces(allScenes.map(({ kind }) => kind));
  return selection.scenes.map((scene) => {
    return { scene, variant: { guidance, numSteps, instructionOf: allScenes[partners[scene.id]!]! } };
  });
}

/** The seed of the shuffling; another one would give another baseline. */
const SEED = 20_260_101;

/**
 * For each of `kinds`, the index of another one: each is given once, none to itself, and none to its own kind unless one
 * kind is more than half of all.
 */
export function shuffledPlaces(kinds: readonly string[]): number[] {
  const places = shuffled(kinds.map((_, place) => place));
  const groups = [...groupsOf(places, (place) => kinds[place]!).values()];
  // The kinds follow each other in a ring: a turn by the largest kind takes every one out of its own kind.
  const ring = groups.flat();
  const largest = Math.max(...groups.map((group) => group.length));
  const turn = largest < ring.length ? largest : 1;
  const partners: number[] = [];
  for (const [at, place] of ring.entries()) partners[place] = ring[(at + turn) % ring.length]!;
  return partners;
}

/** Fisher and Yates. */
function shuffled(values: readonly number[]): number[] {
  const random = mulberry32(SEED);
  const result = [...values];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}

/** Tommy Ettinger's generator: uniform numbers from 0 to below 1. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
