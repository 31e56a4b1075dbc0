/** Programs that end at once, in the middle of whatever they do. */
import { type FaultKind, type Scene, SHAPES } from "./kind.ts";

const BETWEEN_MS = [200, 2500] as const;

/** A few times, after a while each. A job may lose a worker each time, and once more is allowed. */
const TIMES = 2;
const settings = (): Record<string, string> => ({ RETOUCH_MAX_ATTEMPTS: String(TIMES + 1) });

async function severalTimes({ random, wait }: Scene, strike: () => Promise<void> | void): Promise<void> {
  const times = random.integer(1, TIMES);
  for (let time = 0; time < times; time += 1) {
    await wait(random.between(...BETWEEN_MS));
    await strike();
  }
}

export const KILLS: readonly FaultKind[] = [
  {
    name: "kill-server",
    what: "`kill -9` of a server, once or twice",
    drawShape: (random) => random.pick([SHAPES.embedded, SHAPES.embedded, SHAPES.large, SHAPES.folder]),
    settings,
    strike: (scene) =>
      severalTimes(scene, async () => {
        const { arrangement, random, note, signal } = scene;
        const server = random.pick(arrangement.servers);
        note(`kills ${server.name}`);
        server.kill();
        await scene.wait(400);
        // Sometimes again while it starts.
        if (random.chance(0.3)) server.kill();
        else await server.untilReady(20_000, signal);
      }),
  },
  {
    name: "kill-worker",
    what: "`kill -9` of a worker, once or twice",
    drawShape: (random) => random.pick([SHAPES.scaled, SHAPES.large]),
    settings,
    strike: (scene) =>
      severalTimes(scene, () => {
        const worker = scene.random.pick(scene.arrangement.workers);
        scene.note(`kills ${worker.name}`);
        worker.kill();
      }),
  },
  {
    name: "kill-engine",
    what: "`kill -9` of an engine process, once or twice",
    drawShape: (random) => random.pick([SHAPES.embedded, SHAPES.scaled]),
    settings,
    strike: (scene) => severalTimes(scene, () => killEngine(scene)),
  },
  {
    name: "kill-real-engine",
    what: "`kill -9` of an engine process with the shipped checkpoint or of its server, in the middle of edits",
    drawShape: (random) =>
      random.pick([
        { ...SHAPES.embedded, hasRealEngine: true },
        { ...SHAPES.scaled, workers: 1, hasRealEngine: true },
      ]),
    // In some of the rounds edits are kept as they go, and another process goes on with them; in some only finished results
    // of several are.
    settings: (random) => ({ ...settings(), RETOUCH_RESUME_AFTER: random.pick(["0s", "1m", "off"]) }),
    strike: (scene) =>
      severalTimes(scene, () => {
        if (scene.random.chance(0.6)) return killEngine(scene);
        const unit = scene.random.pick(scene.arrangement.units);
        scene.note(`kills ${unit.name}`);
        unit.kill();
      }),
  },
  {
    name: "kill-database",
    what: "`kill -9` of PostgreSQL with all its processes, which starts again after a while",
    drawShape: () => SHAPES.ownDatabase,
    settings,
    strike: (scene) =>
      severalTimes(scene, async () => {
        const { arrangement, random, note, wait } = scene;
        note("kills PostgreSQL");
        await arrangement.cluster!.kill();
        await wait(random.pick([0, random.between(0, 2000), random.between(2000, 6000)]));
        await arrangement.cluster!.start();
        note("PostgreSQL is back");
      }),
  },
  {
    name: "kill-at-first-start",
    what: "`kill -9` while a server makes its database, its keys and its folders for the first time",
    drawShape: (random) =>
      random.pick([SHAPES.embedded, SHAPES.embedded, SHAPES.folder, { ...SHAPES.large, workers: 1 }]),
    isAtStart: true,
    settings,
    async strike(scene) {
      const { arrangement, random, note, wait } = scene;
      const times = random.integer(1, 3);
      for (let time = 0; time < times; time += 1) {
        await wait(random.between(100, 4000));
        const server = random.pick(arrangement.servers);
        note(`kills ${server.name}`);
        server.kill();
      }
    },
  },
];

function killEngine({ arrangement, random, note }: Scene): void {
  const unit = random.pick(arrangement.units);
  if (unit.killEngine()) note(`kills the engine process of ${unit.name}`);
}
