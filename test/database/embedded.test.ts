import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
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

it("ends in failures, not in silence, when its thread has ended", async () => {
  const database = await openEmbeddedDatabase({
    folder: await emptyDatabase(),
    schema: "retouch",
    onError: () => {},
    threadEntry: MORTAL_THREAD,
  });
  expect(await database.query("select 1 as one")).toEqual([{ one: 1 }]);
  for (const text of ["select 'die'", "select 1"]) {
    await expect(database.query(text)).rejects.toThrow("The embedded database has ended.");
  }
  await database.close();
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
