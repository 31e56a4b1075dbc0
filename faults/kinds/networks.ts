/** Ways to the database and to the bucket that are cut, silent or slow: of one program, or of all. */
import type { Link, LinkState } from "../../tools/link.ts";
import { type FaultKind, PAST_LEASE_MS, type Scene, SHAPES } from "./kind.ts";

type Way = "database" | "storage";

/** @param duringMs how long, drawn each time */
function broken(way: Way, name: string, what: string, state: (scene: Scene) => LinkState): FaultKind {
  return {
    name,
    what,
    drawShape: (random) =>
      random.pick([
        SHAPES.scaled,
        SHAPES.scaled,
        SHAPES.large,
        ...(way === "database" ? [SHAPES.folder] : []),
      ]),
    async strike(scene) {
      const { arrangement, random, wait, note } = scene;
      const all: readonly Link[] = way === "database" ? arrangement.databaseLinks : arrangement.storageLinks;
      const struck = random.chance(0.5) ? all : [random.pick(all)];
      const harm = state(scene);
      const isLong = random.chance(0.5);
      const ms = isLong ? random.between(...PAST_LEASE_MS) : random.between(300, 3000);
      note(`${name} of ${struck.length} of ${all.length} for ${Math.round(ms)} ms`);
      await Promise.all(struck.map((link) => link.set(harm)));
      await wait(ms);
      await Promise.all(struck.map((link) => link.set({ kind: "up" })));
      note("the ways are mended");
    },
  };
}

const silent = ({ random }: Scene): LinkState => ({
  kind: "silent",
  loses: random.pick(["everything", "answers"]),
});
const slow = ({ random }: Scene): LinkState => ({ kind: "slow", delayMs: random.integer(20, 400) });

export const NETWORKS: readonly FaultKind[] = [
  broken("database", "cut-database", "connections to the database are reset and refused", () => ({
    kind: "cut",
  })),
  broken(
    "database",
    "silent-database",
    "connections to the database lose every byte, or only the answers, without a sign, and those of that time for good",
    silent,
  ),
  broken("database", "slow-database", "every piece to and from the database comes 20 to 400 ms later", slow),
  broken("storage", "cut-storage", "connections to the bucket are reset and refused", () => ({
    kind: "cut",
  })),
  broken(
    "storage",
    "silent-storage",
    "connections to the bucket lose every byte, or only the answers, without a sign, and those of that time for good",
    silent,
  ),
  broken("storage", "slow-storage", "every piece to and from the bucket comes 20 to 400 ms later", slow),
];
