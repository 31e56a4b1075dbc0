/** Clocks that are set while everything runs, and set right again. */
import { clockMissing } from "../clock.ts";
import { type FaultKind, type Scene, SHAPES } from "./kind.ts";

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;

/** Either that of the database, by which all times count, or those of programs beside it. */
const clocksOf = (): string[] => ["server-1", "worker-1", "postgres"];

async function turn({ arrangement, clocks, random, wait, note }: Scene, sign: 1 | -1): Promise<void> {
  const isDatabase = arrangement.cluster !== undefined && random.chance(0.5);
  // Where nobody counts jobs' times by a clock, it may be wrong by days.
  const isFree = arrangement.cluster !== undefined && !isDatabase;
  const seconds =
    sign * (isFree ? random.pick([20, 20 * MINUTE, 9 * DAY]) : random.pick([5, 20, 5 * MINUTE]));
  const turned = [...clocks].filter(([name]) => (name === "postgres") === isDatabase);
  note(`sets the clocks of ${turned.map(([name]) => name).join(", ")} by ${seconds} s`);
  for (const [, clock] of turned) await clock.set(seconds);
  await wait(random.between(2500, 7000));
  if (isFree && random.chance(0.5)) {
    note("kills server-1");
    arrangement.servers[0]!.kill();
    await wait(2500);
  }
  for (const [, clock] of turned) await clock.set(0);
  note("the clocks are right again");
}

const drawShape: FaultKind["drawShape"] = (random) =>
  random.pick([SHAPES.embedded, SHAPES.ownDatabase, SHAPES.ownDatabase]);

export const CLOCKS: readonly FaultKind[] = [
  {
    name: "clock-forward",
    what: "clocks set forward by 5 s to 5 minutes (up to 9 days where not the database's), and back",
    missing: () => clockMissing,
    drawShape,
    clocksOf,
    strike: (scene) => turn(scene, 1),
  },
  {
    name: "clock-back",
    what: "clocks set back by as much, and forward again",
    missing: () => clockMissing,
    drawShape,
    clocksOf,
    strike: (scene) => turn(scene, -1),
  },
];
