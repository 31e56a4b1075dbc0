/** Disks without room. */
import { diskMissing } from "../disk.ts";
import { type FaultKind, type Scene, SHAPES } from "./kind.ts";

const MB = 1024 * 1024;

export const DISKS: readonly FaultKind[] = [
  {
    name: "disk-full",
    what: "the disk of the data folder has no room left for some seconds: images, and PGlite where it is embedded",
    missing: () => diskMissing,
    drawShape: (random) => random.pick([SHAPES.embedded, SHAPES.folder]),
    disk: ({ kind }) => ({ bytes: (kind === "embedded" ? 240 : 48) * MB, what: "data" }),
    // In half of the rounds edits are refused before it is full.
    settings: (random) => ({ RETOUCH_MIN_FREE_DISK: random.pick(["0KB", "4MB"]) }),
    strike: fillForAWhile,
  },
  {
    name: "database-disk-full",
    what: "the disk of PostgreSQL has no room left for some seconds, then it starts again",
    missing: () => diskMissing,
    drawShape: () => SHAPES.ownDatabase,
    disk: () => ({ bytes: 200 * MB, what: "postgres" }),
    async strike(scene) {
      await fillForAWhile(scene);
      // PostgreSQL ends itself where it cannot write its log.
      await scene.arrangement.cluster!.start();
    },
  },
];

async function fillForAWhile({ disk, random, wait, note }: Scene): Promise<void> {
  note("fills the disk");
  // What is freed meanwhile is filled, too.
  const until = performance.now() + random.between(1000, 6000);
  while (performance.now() < until) {
    await disk!.fill();
    await wait(100);
  }
  await disk!.clear();
  note("the disk has room again");
}
