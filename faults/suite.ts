/** Many rounds, several at a time, and what they share. */
import { setMaxListeners } from "node:events";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { encodePicture } from "../src/index.ts";
import { startS3Server } from "../tools/s3-server.ts";
import type { Shared } from "./arrangement.ts";
import type { FaultKind } from "./kinds/kind.ts";
import { createCluster } from "./postgres.ts";
import { createPrograms } from "./programs.ts";
import { createRandom } from "./random.ts";
import { type RoundResult, runRound } from "./round.ts";

export interface SuiteOptions {
  kinds: readonly FaultKind[];
  rounds: number;
  /** Of the first round; each next one has the next number. */
  seed: number;
  /** Rounds at the same time. */
  parallel: number;
  /** No round begins after so many milliseconds. */
  limitMs: number;
  signal: AbortSignal;
  onResult: (result: RoundResult) => void;
}

/** Every fault comes equally often, in an order that the seed decides. */
export function planRounds({ kinds, rounds, seed }: Pick<SuiteOptions, "kinds" | "rounds" | "seed">): {
  kind: FaultKind;
  seed: number;
}[] {
  const random = createRandom(seed, "order");
  const order: FaultKind[] = [];
  while (order.length < rounds) order.push(...random.shuffled(kinds));
  return order.slice(0, rounds).map((kind, at) => ({ kind, seed: seed + at }));
}

/** Folders of rounds with problems are kept, everything else is removed. */
export async function runSuite(options: SuiteOptions): Promise<RoundResult[]> {
  const { parallel, limitMs, signal, onResult } = options;
  // Whatever waits in a round ends with it.
  setMaxListeners(0, signal);
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-faults-"));
  await chmod(folder, 0o711);
  const programs = createPrograms(folder);
  const bucket = await startS3Server();
  try {
    const cluster = await createCluster({
      programs,
      shared: folder,
      folder: path.join(folder, "shared-cluster"),
    });
    await cluster.start();
    const shared: Shared = { folder, cluster, bucket };
    const images = await Promise.all([128, 512].map((side) => noise(side, options.seed)));
    const results: RoundResult[] = [];
    const rest = planRounds(options);
    const until = performance.now() + limitMs;
    await Promise.all(
      Array.from({ length: parallel }, async () => {
        while (!signal.aborted && performance.now() < until) {
          const next = rest.shift();
          if (next === undefined) return;
          const result = await runRound({ ...next, shared, images, signal });
          if (signal.aborted) return;
          results.push(result);
          onResult(result);
        }
      }),
    );
    return results;
  } finally {
    await programs.killAll();
    await bucket.close();
    for (const name of ["shared-cluster", "shared-cluster.log", "empty-cluster", "postgres.log"]) {
      await rm(path.join(folder, name), { recursive: true, force: true });
    }
    if ((await readdir(folder)).length === 0) await rm(folder, { recursive: true });
  }
}

/** A JPEG that compresses as badly as a photograph. */
function noise(side: number, seed: number): Promise<Uint8Array> {
  const random = createRandom(seed, `image of ${side}`);
  const data = Uint8Array.from({ length: side * side * 3 }, () => random.integer(64, 192));
  return encodePicture({ width: side, height: side, data }, "jpeg");
}
