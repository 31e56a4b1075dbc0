import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished, vi } from "vitest";
import type { Database } from "../../src/database/database.ts";
import { openEmbeddedDatabase } from "../../src/database/embedded.ts";
import { copyEmptyDatabase, openEmbedded } from "../support/embedded.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const WRITER = fileURLToPath(new URL("embedded-writer.mjs", import.meta.url));
const MORTAL_THREAD = new URL("mortal-thread.mjs", import.meta.url);

async function emptyDatabase(): Promise<string> {
  const folder = path.join(await temporaryFolder(), "database");
  await copyEmptyDatabase(folder);
  return folder;
}

async function opened(folder: string): Promise<Database> {
  const database = await openEmbedded(folder);
  onTestFinished(() => database.close());
  return database;
}

it("computes in a thread of its own: everything else goes on meanwhile", async () => {
  const database = await opened(await emptyDatabase());
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 5);
  await database.query("select pg_sleep(0.5)");
  clearInterval(timer);
  expect(turns).toBeGreaterThan(10);
});

it("has every row that was acknowledged before its process was killed", async () => {
  const folder = await emptyDatabase();
  const writer: ChildProcess = fork(WRITER, [folder]);
  onTestFinished(() => void writer.kill("SIGKILL"));
  let acknowledged = 0;
  writer.on("message", (number: number) => {
    acknowledged = number;
    if (number === 40) writer.kill("SIGKILL");
  });
  await once(writer, "exit");
  expect(acknowledged).toBeGreaterThanOrEqual(40);

  const database = await opened(folder);
  const [row] = await database.query<{ count: number; last: number }>(
    "select count(*) as count, max(number) as last from numbers",
  );
  expect(row!.last).toBeGreaterThanOrEqual(acknowledged);
  expect(row!.count).toBe(row!.last);
  await database.query("insert into numbers values (0, '')");
});

it("starts its thread again when it has ended, with all that was acknowledged", async () => {
  const ends: string[] = [];
  const database = await openEmbeddedDatabase({
    folder: await emptyDatabase(),
    schema: "retouch",
    onError: ({ message }) => ends.push(message),
    threadEntry: MORTAL_THREAD,
  });
  onTestFinished(() => database.close());
  const heard: string[] = [];
  database.notifications.onNotification((payload) => heard.push(payload));
  let reconnects = 0;
  database.notifications.onReconnect(() => (reconnects += 1));
  await database.query("create table numbers (number integer primary key)");
  const insert = (number: number): Promise<unknown> =>
    database.query("insert into numbers values ($1)", [number], { isPlannedOnce: true });
  await insert(1);

  await expect(database.query("select 'die'")).rejects.toEqual(
    refusal("DATABASE_UNAVAILABLE", /^The embedded database does not answer \(.+\)\.$/),
  );
  // Meanwhile every query fails.
  await vi.waitFor(() => insert(2), { timeout: 20_000, interval: 50 });
  expect(ends).toContain("The embedded database has ended (its thread has ended) and is started again.");
  expect(reconnects).toBe(1);
  expect(await database.query("select number from numbers order by number")).toEqual([
    { number: 1 },
    { number: 2 },
  ]);
  await database.query("notify retouch_events, 'again'");
  expect(heard).toEqual(["again"]);
});

it("goes on after a transaction in which its thread has ended", async () => {
  const database = await openEmbeddedDatabase({
    folder: await emptyDatabase(),
    schema: "retouch",
    onError: () => {},
    threadEntry: MORTAL_THREAD,
  });
  onTestFinished(() => database.close());
  await database.query("create table numbers (number integer)");
  const broken = database.transaction(async (sql) => {
    await sql.query("insert into numbers values (1)");
    await sql.query("select 'die'");
  });
  await expect(broken).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  const count = (): Promise<unknown[]> => database.query("select count(*) as count from numbers");
  expect(await vi.waitFor(count, { timeout: 20_000, interval: 50 })).toEqual([{ count: 0 }]);
});

it("is refused in a sentence where its folder holds something else", async () => {
  const folder = await emptyDatabase();
  await rm(path.join(folder, "global"), { recursive: true });
  await expect(openEmbedded(folder, () => {})).rejects.toEqual(
    refusal("DATABASE_UNAVAILABLE", new RegExp(`^The database in ${folder} cannot be opened: .+\\.$`)),
  );
});

it("leaves no thread behind where it cannot be spoken with", async () => {
  const folder = await temporaryFolder();
  const program = `
    import { writeFileSync } from "node:fs";
    import { parentPort, workerData } from "node:worker_threads";
    parentPort.on("message", ({ kind }) => {
      if (kind === "bytes") return parentPort.postMessage({ kind: "failed", message: "It is broken." });
      writeFileSync(workerData.folder + "/closed", "");
      parentPort.close();
    });
    parentPort.postMessage({ kind: "ready" });`;
  const threadEntry = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const options = { folder, schema: "retouch", onError: () => {}, threadEntry };
  await expect(openEmbeddedDatabase(options)).rejects.toEqual(
    refusal("DATABASE_UNAVAILABLE", "The embedded database cannot be opened (It is broken.)."),
  );
  expect(existsSync(path.join(folder, "closed"))).toBe(true);
});
