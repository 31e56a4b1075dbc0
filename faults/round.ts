/** One round: a service, clients, a fault, its end, and a look at everything that is left. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Arrangement, createArrangement, type Shape, type Shared } from "./arrangement.ts";
import { createCaller } from "./calls.ts";
import { checkData } from "./check.ts";
import { type Clock, createClock } from "./clock.ts";
import { type Disk, mountDisk } from "./disk.ts";
import type { FaultKind, Scene } from "./kinds/kind.ts";
import { addProblem, createLedger, type Ledger, type Problem } from "./ledger.ts";
import { runLoad } from "./load.ts";
import { createPrograms } from "./programs.ts";
import { createRandom } from "./random.ts";
import { type Receivers, startReceivers } from "./receivers.ts";
import { settle } from "./settle.ts";

export interface RoundOptions {
  kind: FaultKind;
  seed: number;
  shared: Shared;
  /** Source images. */
  images: readonly Uint8Array[];
  signal: AbortSignal;
}

export interface RoundResult {
  kind: string;
  seed: number;
  shape: Shape;
  problems: Problem[];
  acknowledged: number;
  /** Calls by the status of their answer, `none` for those without one. */
  answers: Record<string, number>;
  seconds: number;
  /** Logs and events; only kept after problems. */
  folder: string | undefined;
}

const KEYS = [
  "first-key-of-sixteen-or-more",
  "second-key-of-sixteen-or-more",
  "third-key-of-sixteen-or-more",
];
/** Short limits, so that a round is short; rates that do not get in the way. */
const SETTINGS = {
  RETOUCH_LOG_LEVEL: "info",
  RETOUCH_ALLOW_PRIVATE_HOSTS: "127.0.0.1",
  RETOUCH_LEASE: "4s",
  RETOUCH_LEASE_RENEWAL: "500ms",
  RETOUCH_RETENTION: "1d",
  RETOUCH_SYNC_RETENTION: "1d",
  RETOUCH_SHUTDOWN_DEADLINE: "5s",
  RETOUCH_DRAIN_DELAY: "0ms",
  RETOUCH_SAFETY: "off",
  // Several rounds run at a time.
  RETOUCH_THREADS: "1",
  RETOUCH_MIN_FREE_DISK: "0KB",
  RETOUCH_WEBHOOK_TRIES: "3",
  RETOUCH_WEBHOOK_DELAY: "500ms",
  RETOUCH_WEBHOOK_TIMEOUT: "3s",
  RETOUCH_CANCEL_RATE: "10000",
  RETOUCH_RETRY_RATE: "10000",
  RETOUCH_READ_RATE: "10000",
  RETOUCH_STATUS_RATE: "10000",
};
const READY_MS = 120_000;
const SETTLE_MS = 90_000;
const STOP_MS = 20_000;
const BALANCE_MS = 100;

export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { kind, seed, shared } = options;
  const started = performance.now();
  const ledger = createLedger();
  const shape = kind.drawShape(createRandom(seed, "shape"));
  const folder = await mkdtemp(path.join(shared.folder, `${kind.name}-${seed}-`));
  const events: string[] = [];
  const note = (sentence: string): void => {
    events.push(`${((performance.now() - started) / 1000).toFixed(2)} s: ${sentence}`);
  };
  await play({ ...options, shape, ledger, folder, note, events }).catch((error: unknown) => {
    addProblem(ledger, "the round broke", error instanceof Error ? String(error.stack) : String(error));
  });
  const { problems } = ledger;
  if (problems.length === 0) await rm(folder, { recursive: true, force: true });
  else
    await writeFile(
      path.join(folder, "round.json"),
      JSON.stringify({ seed, shape, problems, events }, null, 1),
    );
  return {
    kind: kind.name,
    seed,
    shape,
    problems,
    acknowledged: ledger.jobs.size,
    answers: Object.fromEntries(ledger.answers),
    seconds: (performance.now() - started) / 1000,
    folder: problems.length === 0 ? undefined : folder,
  };
}

interface Play extends RoundOptions {
  shape: Shape;
  ledger: Ledger;
  folder: string;
  note: (sentence: string) => void;
  events: string[];
}

async function play(options: Play): Promise<void> {
  const { kind, seed, shared, images, signal, shape, ledger, folder, note } = options;
  const random = createRandom(seed, "fault");
  // PostgreSQL runs as another user, where this one is root.
  await chmod(folder, 0o711);
  const wanted = kind.disk?.(shape);
  let disk: Disk | undefined;
  let arrangement: Arrangement | undefined;
  let receivers: Receivers | undefined;
  const programs = createPrograms(folder);
  try {
    if (wanted)
      disk = await mountDisk(path.join(folder, wanted.what === "data" ? "data" : "disk"), wanted.bytes);
    const clocks = new Map<string, Clock>();
    for (const name of kind.clocksOf?.(shape) ?? [])
      clocks.set(name, await createClock(path.join(folder, `${name}.clock`)));
    receivers = await startReceivers(images[0]!);
    const settings = { ...SETTINGS, ...kind.settings?.(createRandom(seed, "settings")) };
    arrangement = await createArrangement({
      shape,
      shared,
      programs,
      folder,
      name: `round_${seed}_${kind.name.replaceAll("-", "_")}`.slice(0, 40),
      keys: KEYS,
      settings,
      clusterFolder: wanted?.what === "postgres" ? path.join(disk!.folder, "postgres") : undefined,
      environmentOf: (name) => clocks.get(name)?.env ?? {},
    });
    await arrangement.cluster?.start();
    const scene: Scene = {
      arrangement,
      random,
      clocks,
      disk,
      keys: KEYS,
      signal,
      wait: (ms) => delay(ms, undefined, { signal }),
      note,
      problem: (what, detail) => addProblem(ledger, what, detail),
    };
    await underLoad({ ...options, arrangement, receivers, scene });
    signal.throwIfAborted();
    for (const [at, code] of (
      await Promise.all(arrangement.units.map((unit) => unit.stop(STOP_MS)))
    ).entries()) {
      if (code !== 0)
        addProblem(
          ledger,
          "a program that does not end when asked",
          `${arrangement.units[at]!.name}: ${code}`,
        );
    }
    await checkData({ ledger, receipts: receivers.receipts, settings: arrangement.settings });
  } finally {
    for (const unit of arrangement?.units ?? []) options.events.push(...unit.events);
    await programs.killAll();
    await arrangement?.close();
    await receivers?.close();
    await disk?.unmount();
  }
}

/** From the start of the service until everything has ended. */
async function underLoad(
  options: Play & { arrangement: Arrangement; receivers: Receivers; scene: Scene },
): Promise<void> {
  const { kind, seed, images, signal, shape, ledger, arrangement, receivers, scene, note } = options;
  const random = createRandom(seed, "load");
  const { servers, units } = arrangement;
  for (const unit of units) unit.start();
  if (kind.isAtStart) await kind.strike(scene);
  for (const server of servers) {
    if (!(await server.untilReady(READY_MS, signal))) throw new Error(`${server.name} did not become ready.`);
  }
  const caller = createCaller(ledger, { isRefusalAllowed: () => !kind.isBalanced });
  // A first start makes the keys when the server already listens.
  for (const key of KEYS) {
    for (const { address } of servers) {
      while ((await caller.call(address!, "/health", { key }))?.status === 401) await scene.wait(100);
    }
  }
  note("all servers are ready");

  const ready = new Set(servers);
  const balancing = new AbortController();
  if (kind.isBalanced) void balance(servers, ready, balancing.signal);
  const chooseServer = async (): Promise<string> => {
    // Calls wait where no server is ready, as they do in front of a load balancer.
    while (ready.size === 0) await scene.wait(BALANCE_MS);
    return random.pick([...ready]).address!;
  };
  const load = {
    caller,
    ledger,
    random,
    keys: KEYS,
    chooseServer,
    receivers,
    receiverKinds: kind.receivers ?? (["healthy"] as const),
    images: images.map((image) => `data:image/jpeg;base64,${Buffer.from(image).toString("base64")}`),
    hasRealEngine: shape.hasRealEngine,
    maxJobs: shape.hasRealEngine ? 20 : 60,
    clients: 6,
  };
  const stopLoad = new AbortController();
  const loading = runLoad(load, AbortSignal.any([stopLoad.signal, signal]));
  try {
    await scene.wait(random.between(500, 1500));
    if (!kind.isAtStart) await kind.strike(scene);
    await scene.wait(random.between(500, 1500));
  } finally {
    stopLoad.abort();
    await loading;
  }
  note("the load ends");
  for (const server of servers) {
    if (!(await server.untilReady(READY_MS, signal)))
      addProblem(ledger, "a server that is not ready again", server.name);
  }
  await settle({ caller, ledger, keys: KEYS, chooseServer, patienceMs: SETTLE_MS, signal });
  balancing.abort();
  note("everything has ended");
}

/** Asks every server whether it is ready, as a load balancer does. */
async function balance(
  servers: Arrangement["servers"],
  ready: Set<Arrangement["servers"][number]>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await Promise.all(
      servers.map(async (server) => {
        const response = await fetch(`${server.address}/readyz`, { signal: AbortSignal.timeout(1000) }).catch(
          () => undefined,
        );
        await response?.text().catch(() => {});
        if (response?.ok) ready.add(server);
        else ready.delete(server);
      }),
    );
    await delay(BALANCE_MS);
  }
}
