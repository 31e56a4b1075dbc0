/**
 * What is left of an embedded database after a power cut, at moments of all kinds: everything that was acknowledged. The
 * disk is simulated (support/disk.ts). `POWER_CUTS` sets how many moments are tried, and `POWER_CUT_SEED` the first seed.
 */
import fs from "node:fs";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { type Cluster, openCluster } from "../../src/database/cluster.ts";
import { ensureCluster } from "../../src/database/first-start.ts";
import type { Database } from "../../src/database/database.ts";
import { openEmbedded } from "../support/embedded.ts";
import { type Recording, recordDisk } from "../support/disk.ts";
import { temporaryFolder } from "../support/temporary.ts";

const CUTS = Number(process.env["POWER_CUTS"] ?? 12);
const SEED = Number(process.env["POWER_CUT_SEED"] ?? 1);

function raise(reason: string): never {
  throw new Error(reason);
}

/** Numbers from [0, 1), the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const start = async (folder: string): Promise<Cluster> => {
  await ensureCluster({ folder, schema: "retouch", onPanic: raise, onNotice: raise });
  return openCluster({ folder, onPanic: raise });
};

type Query = (text: string) => Promise<unknown>;

/** What the table holds after a statement was answered, and when that was. */
interface Answered {
  moment: number;
  rows: string;
}

const ROWS =
  "select coalesce(string_agg(id || ':' || version || ':' || length(body), ',' order by id), '') as rows from public.jobs";

/** Statements as a service makes them: some large, some changed again and again, with checkpoints and vacuums between. */
async function work(query: Query, recording: Recording, random: () => number): Promise<Answered[]> {
  const answered: Answered[] = [{ moment: recording.now(), rows: "" }];
  await query("create table jobs (id integer primary key, version integer not null, body text not null)");
  await query("create index jobs_version on jobs (version)");
  await query("alter table jobs alter body set storage external");
  const rows = new Map<number, [version: number, length: number]>();
  const done = (): void => {
    const text = [...rows]
      .toSorted(([a], [b]) => a - b)
      .map(([id, [version, length]]) => `${id}:${version}:${length}`);
    answered.push({ moment: recording.now(), rows: text.join(",") });
  };
  done();
  for (let id = 1; id <= 60; id += 1) {
    const length = random() < 0.3 ? 60_000 : 40;
    await query(`insert into jobs values (${id}, 0, repeat('${id % 10}', ${length}))`);
    rows.set(id, [0, length]);
    done();
    const other = 1 + Math.floor(random() * id);
    const version = rows.get(other)?.[0];
    if (version !== undefined) {
      await query(`update jobs set version = version + 1 where id = ${other}`);
      rows.get(other)![0] = version + 1;
      done();
    }
    if (id % 7 === 0) {
      await query(`delete from jobs where id % 7 = 1 and id < ${id - 3}`);
      for (const each of rows.keys()) if (each % 7 === 1 && each < id - 3) rows.delete(each);
      done();
    }
    if (id % 9 === 0) await query("checkpoint");
    if (id % 13 === 0) await query("vacuum jobs");
    if (id === 30) await query("create table more (number integer); insert into more values (1)");
    if (id === 40) await query("drop table more");
    if (id === 50) await query("vacuum full jobs");
  }
  return answered;
}

/** @returns what is wrong, if anything is */
async function check(
  folder: string,
  answered: readonly Answered[],
  moment: number,
): Promise<string | undefined> {
  const next = answered.findIndex((each) => each.moment > moment);
  const last = next === -1 ? answered.length - 1 : next - 1;
  // Before the first answer, there may be no table yet; after it, the next statement may have been done or not.
  const allowed = answered.slice(Math.max(last, 0), last + 2).map(({ rows }) => rows);
  let database: Database | undefined;
  try {
    database = await openEmbedded(folder, () => {});
    const [table] = await database.query(
      "select 1 from pg_tables where tablename = 'jobs' and schemaname = 'public'",
    );
    if (table === undefined) return last <= 0 ? undefined : "the table is gone";
    for (const scan of ["on", "off"]) {
      await database.query(`set enable_seqscan = ${scan}`);
      const [found] = await database.query<{ rows: string }>(ROWS);
      if (!allowed.includes(found!.rows)) return `rows are ${found!.rows}, and not ${allowed.join(" or ")}`;
    }
    await database.query("insert into public.jobs values (1000, 0, '')");
    return undefined;
  } catch (error) {
    return String(error);
  } finally {
    await database?.close();
  }
}

async function losses(
  { recording, folder, answered }: Awaited<ReturnType<typeof recordedWork>>,
  { cuts, hasSynced }: { cuts: number; hasSynced: boolean },
): Promise<string[]> {
  const end = recording.now();
  const wrong: string[] = [];
  for (let seed = SEED; seed < SEED + cuts; seed += 1) {
    const random = randomFrom(seed);
    // Half of the moments are any, the others right after an answer.
    const moment =
      random() < 0.5
        ? Math.floor(random() * (end + 1))
        : answered[Math.floor(random() * answered.length)]!.moment;
    const disk = path.join(folder, `disk-${seed}`);
    recording.afterPowerCut(moment, random, disk, hasSynced);
    const reason = await check(path.join(disk, "database"), answered, moment);
    if (reason !== undefined) wrong.push(`seed ${seed}, moment ${moment} of ${end}: ${reason}`);
    fs.rmSync(disk, { recursive: true });
  }
  return wrong;
}

/** The first start of a database, and its work until it is closed. */
async function recordedWork(): Promise<{ recording: Recording; folder: string; answered: Answered[] }> {
  const { recording, root, folder } = await recorded();
  const cluster = await start(path.join(root, "database"));
  const answered = await work((text) => cluster.query(text), recording, randomFrom(SEED));
  await cluster.close();
  recording.stop();
  return { recording, folder, answered };
}

async function recorded(): Promise<{ recording: Recording; root: string; folder: string }> {
  const folder = await temporaryFolder();
  const root = path.join(folder, "data");
  fs.mkdirSync(root);
  const recording = recordDisk(root);
  onTestFinished(() => recording.stop());
  return { recording, root, folder };
}

it("loses nothing that was acknowledged, from the first start on, and would without syncing", async () => {
  const recording = await recordedWork();
  expect(await losses(recording, { cuts: CUTS, hasSynced: true })).toEqual([]);
  expect(await losses(recording, { cuts: 3, hasSynced: false })).not.toEqual([]);
}, 3_600_000);

it("syncs the WAL before it answers a statement that changes something, and nothing for one that reads", async () => {
  const { recording, root } = await recorded();
  const cluster = await start(path.join(root, "database"));
  onTestFinished(() => cluster.close());
  await cluster.query("create table numbers (number integer)");
  const syncedBy = async (text: string): Promise<string[]> => {
    const before = recording.now();
    await cluster.query(text);
    return recording.synced(before);
  };
  const wal = expect.stringMatching(/^[0-9A-F]{24}$/) as string;
  expect(await syncedBy("insert into numbers values (1)")).toEqual([wal]);
  expect(await syncedBy("begin; insert into numbers values (2); commit")).toEqual([wal]);
  expect(await syncedBy("select * from numbers")).toEqual([]);
  expect(await syncedBy("checkpoint")).toContain("pg_control");
});
