/** What is left of a round, in the database and in the storage, once all its programs have ended. */
import { readdirSync, readFileSync, utimesSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { readConfig } from "../src/config/config.ts";
import type { Sql } from "../src/database/database.ts";
import { quoted } from "../src/database/migrations.ts";
import { createMaintenance } from "../src/jobs/maintenance.ts";
import { findNeeded } from "../src/jobs/pictures.ts";
import { createLog } from "../src/log.ts";
import { type Data, openData } from "../src/service/data.ts";
import { OBJECT_KINDS, type ObjectKind } from "../src/storage/storage.ts";
import { createSweeper } from "../src/storage/sweeper.ts";
import { inRepository } from "../tools/paths.ts";
import { addProblem, type Ledger, type Problem } from "./ledger.ts";
import type { Receipt } from "./receivers.ts";

export interface CheckOptions {
  ledger: Ledger;
  receipts: readonly Receipt[];
  /** RETOUCH_ variables of the round. */
  settings: Record<string, string>;
}

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
const threadEntry = pathToFileURL(inRepository("dist", "database", "embedded-thread.js"));

/** Opens the data as another program of the service would, and adds what is wrong to the ledger's problems. */
export async function checkData({ ledger, receipts, settings }: CheckOptions): Promise<void> {
  const config = readConfig(settings);
  const data = await openData({ config, log: createLog({ level: "silent" }), threadEntry });
  const onError = (error: unknown): void => addProblem(ledger, "the upkeep fails", String(error));
  try {
    const { context, storage } = data;
    await createMaintenance(context, { deleteInput: (key) => storage.delete(key), onError }).run();
    const { database } = data;
    const { webhookTries } = config;
    ledger.problems.push(
      ...(await findProblems(database, { schema: database.schema, ledger, receipts, webhookTries })),
    );
    const folder = config.s3Bucket === undefined ? path.resolve(config.dataDir, "files") : undefined;
    await checkFiles(data, ledger, { lifetimeMs: config.fileLifetimeMs, folder, onError });
  } finally {
    await data.close();
  }
}

/** Runs `check.sql` on the rows that a round left. */
export function findProblems(
  sql: Sql,
  {
    schema,
    ledger,
    receipts,
    webhookTries,
  }: { schema: string; ledger: Ledger; receipts: readonly Receipt[]; webhookTries: number },
): Promise<Problem[]> {
  const text = readFileSync(inRepository("faults", "check.sql"), "utf8")
    .replaceAll("SCHEMA.", `${quoted(schema)}.`)
    .replaceAll("QUEUE.", `${quoted(`${schema}_queue`)}.`);
  const jobs = [...ledger.jobs.values()].map((job) => ({
    id: job.id,
    key: job.key,
    wanted: job.wanted,
    is_cancelled: job.isCancelled,
    maybe_cancelled: job.maybeCancelled,
    retries: job.retries,
    maybe_retries: job.maybeRetries,
    idempotency_key: job.idempotencyKey,
    route: job.route,
    bytes: job.bytes,
  }));
  const received = new Map<string, { message: string; job: string; tries: number; accepted: number }>();
  for (const { message, job, isAccepted } of receipts) {
    const known = received.get(message) ?? { message, job, tries: 0, accepted: 0 };
    received.set(message, {
      ...known,
      tries: known.tries + 1,
      accepted: known.accepted + Number(isAccepted),
    });
  }
  const undecided = [...ledger.undecided].map(([key, submissions]) => ({ key, submissions }));
  const values = [jobs, [...received.values()], undecided].map((list) => JSON.stringify(list));
  return sql.query<Problem>(text, [...values, webhookTries]);
}

/** Nothing is deleted early, and nothing is left that nobody needs. */
async function checkFiles(
  { context, storage, database }: Data,
  ledger: Ledger,
  options: { lifetimeMs: number; folder: string | undefined; onError: (error: unknown) => void },
): Promise<void> {
  const { lifetimeMs, folder, onError } = options;
  const sweepIn = (ms: number): Promise<number> =>
    createSweeper({
      storage,
      lifetimeMs,
      findNeeded: (keys) => findNeeded(context, keys),
      onError,
      now: () => Date.now() + ms,
    }).run();
  const keysOf = async (kind: ObjectKind): Promise<Set<string>> => {
    const found = new Set<string>();
    for await (const { key } of storage.list(kind)) found.add(key);
    return found;
  };
  const schema = quoted(database.schema);
  const rows = await database.query<{ storage_key: string }>(`select storage_key from ${schema}.pictures`);
  const needed = new Set(rows.map((row) => row.storage_key));

  // Late in the lives of results, long after those of what a program left when it was killed.
  await sweepIn(lifetimeMs - HOUR_MS);
  for (const kind of OBJECT_KINDS) {
    const kept = await keysOf(kind);
    for (const key of needed) {
      if (key.startsWith(`${kind}/`) && !kept.has(key)) addProblem(ledger, "a file is gone", key);
    }
    // A result without a job cannot be told from one that still has an address.
    if (kind === "outputs") continue;
    for (const key of kept) if (!needed.has(key)) addProblem(ledger, "a file is left after a sweep", key);
  }

  await database.query(`delete from ${schema}.pictures`);
  await sweepIn(lifetimeMs + DAY_MS);
  for (const kind of OBJECT_KINDS) {
    for (const key of await keysOf(kind)) addProblem(ledger, "a file is left after its time", key);
  }
  if (folder !== undefined) await checkLeftovers(storage, ledger, folder);
}

/** Files that were being written when their program ended are removed at a start, once they are old. */
async function checkLeftovers({ check }: Data["storage"], ledger: Ledger, folder: string): Promise<void> {
  const filesIn = (kind: string): string[] =>
    readdirSync(path.join(folder, kind)).filter((name) => name.startsWith("."));
  const old = new Date(Date.now() - DAY_MS);
  for (const kind of OBJECT_KINDS)
    for (const name of filesIn(kind)) utimesSync(path.join(folder, kind, name), old, old);
  await check();
  for (const kind of OBJECT_KINDS) {
    for (const name of filesIn(kind)) addProblem(ledger, "a half-written file is left", `${kind}/${name}`);
  }
  for (const name of readdirSync(folder)) {
    if (!(OBJECT_KINDS as readonly string[]).includes(name))
      addProblem(ledger, "files that nothing sweeps", name);
  }
}
