import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { createMaintenance } from "../../src/jobs/maintenance.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { createWorkQueue } from "../../src/jobs/work-queue.ts";
import { createLog } from "../../src/log.ts";
import { type Data, openData } from "../../src/service/data.ts";
import { threadEntry } from "../support/databases.ts";
import { copyEmptyDatabase } from "../support/embedded.ts";
import { newJob } from "../support/jobs.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  await copyEmptyDatabase(path.join(folder, "database"));
});

async function open(): Promise<Data> {
  const config = readConfig({ RETOUCH_DATA_DIR: folder });
  const data = await openData({ config, log: createLog({ level: "silent" }), threadEntry });
  onTestFinished(() => data.close());
  return data;
}

it("has one owner: a second one is refused and has touched nothing, and a robbed one writes nothing more", async () => {
  const data = await open();
  const before = await readdir(folder);
  await expect(open()).rejects.toEqual(
    refusal("DATA_DIR_IN_USE", `The data folder ${folder} is in use by process ${process.pid}.`),
  );
  expect(await readdir(folder)).toEqual(before);
  expect(await data.database.query("select 1 as one")).toEqual([{ one: 1 }]);

  await rm(path.join(folder, "lock"), { recursive: true });
  await expect.poll(() => data.lost!.aborted).toBe(true);
  await expect(data.database.query("select 1")).rejects.toThrow(/after calling end/);
});

it("keeps what it has for the next owner, who gets back at once what ran when the last one ended", async () => {
  const first = await open();
  const jobs = createJobs(first.context);
  const { job: running } = await jobs.submit(newJob());
  const { job: queued } = await jobs.submit(newJob());
  await createWorkQueue(first.context).claim("worker-a");
  const { key, record } = await first.keys.create("shop");
  await first.close();
  expect(await readdir(folder)).not.toContain("lock");

  const next = await open();
  expect(next.secret).toBe(first.secret);
  expect(await next.keys.verify(key)).toEqual(record);
  await createMaintenance(next.context, { deleteInput: async () => {}, onError: raise }).run();
  const queue = createWorkQueue(next.context);
  expect(await queue.claim("worker-b")).toMatchObject({ id: running.id, attempt: 2 });
  expect(await queue.claim("worker-b")).toMatchObject({ id: queued.id, attempt: 1 });
});

function raise(error: unknown): never {
  throw error;
}
