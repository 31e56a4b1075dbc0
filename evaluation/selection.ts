/** Which scenes and chains of the set are measured. */
import { groupsOf } from "./groups.ts";
import type { Chain, Scene, SceneList } from "./scene-list.ts";

export interface Selection {
  scenes: readonly Scene[];
  probe: readonly Scene[];
  chains: readonly Chain[];
}

/** @param limit how many scenes; probe and chains are as much fewer, and at least one of each */
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
