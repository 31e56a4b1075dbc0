/** Backup and restore with the commands of docs/guides/upgrading-and-backup.md, and everything is there again. */
import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { retouch } from "../cli/run.ts";
import { pageOf } from "../documents/pages.ts";
import { databaseUrl, postgresMissing } from "../support/databases.ts";
import { freePort, serve, type Served, untilReady } from "../support/served.ts";
import { temporaryFolder } from "../support/temporary.ts";

const run = promisify(execFile);
const KEY = "a-first-key-of-the-backup";
const PICTURE = { size: "256*256", num_inference_steps: 1, seed: 7, prompt: "Make it night" };

/** The commands of the guide under a heading, without those that start and stop the service. */
function commandsUnder(heading: string): string[] {
  const [, section] = new RegExp(`^## ${heading}\n([\\s\\S]*?)^## `, "m").exec(
    pageOf("docs/guides/upgrading-and-backup.md"),
  )!;
  const blocks = [...section!.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block]) =>
    block!.split("\n"),
  );
  return blocks.filter((line) => line !== "" && !/^systemctl|retouch serve$/.test(line));
}

const running = new Set<Served>();
afterEach(async () => {
  for (const server of running) await server.end("SIGKILL");
  running.clear();
});

async function start(settings: Record<string, string>): Promise<Served> {
  const server = await serve({ RETOUCH_API_KEY: KEY, RETOUCH_SAFETY: "off", ...settings });
  running.add(server);
  return server;
}

async function stop(server: Served): Promise<void> {
  running.delete(server);
  await server.end("SIGTERM");
}

/** What is in the data: a result, a second key, and a job that waits, with a webhook that nobody takes yet. */
async function fill(settings: Record<string, string>): Promise<Filled> {
  const webhookPort = await freePort();
  const webhook = `http://127.0.0.1:${webhookPort}/hook`;
  const first = await start(settings);
  await untilReady(first);
  const image = `${first.address}/examples/bluebird.png`;
  const { body: done } = await first.call("/runsync", { body: { input: { ...PICTURE, image } } });
  expect(done.status).toBe("COMPLETED");
  const url = new URL(done.output.image_url);
  const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
  const created = await retouch(["keys", "create", "second", "--json"], { env: settings });
  const { key: secondKey } = JSON.parse(created.stdout.toString()) as { key: string };
  await stop(first);

  const second = await start({ ...settings, RETOUCH_WORKERS: "0" });
  const waiting = await second.call("/run", {
    key: secondKey,
    body: { input: { ...PICTURE, image: `data:image/png;base64,${bytes.toString("base64")}` }, webhook },
  });
  expect([created.stderr, waiting.body.status]).toEqual(["", "IN_QUEUE"]);
  return { server: second, done: done.id, waiting: waiting.body.id, secondKey, url, bytes, webhookPort };
}

interface Filled {
  server: Served;
  done: string;
  waiting: string;
  secondKey: string;
  url: URL;
  bytes: Buffer;
  webhookPort: number;
}

/** Everything is there, and what waited goes on. */
async function expectRestored(settings: Record<string, string>, filled: Filled): Promise<void> {
  const { done, waiting, secondKey, url, bytes, webhookPort } = filled;
  const hooks: string[] = [];
  const receiver: Server = createServer((request, response) => {
    request.on("data", (chunk: Buffer) => hooks.push(chunk.toString()));
    request.on("end", () => response.end());
  }).listen(webhookPort, "127.0.0.1");
  onTestFinished(() => void receiver.close());
  const server = await start(settings);
  await untilReady(server);
  const { body } = await server.call(`/status/${done}`);
  expect(body.status).toBe("COMPLETED");
  const restored = await fetch(`${server.address}${url.pathname}${url.search}`);
  expect(Buffer.compare(Buffer.from(await restored.arrayBuffer()), bytes)).toBe(0);
  await expect
    .poll(async () => (await server.call(`/status/${waiting}`, { key: secondKey })).body.status)
    .toBe("COMPLETED");
  await expect.poll(() => hooks.join("")).toContain(waiting);
  // The other key's job is none of this one's.
  expect((await server.call(`/status/${waiting}`)).status).toBe(404);
  await stop(server);
}

const SETTINGS = { RETOUCH_ALLOW_PRIVATE_HOSTS: "127.0.0.1" };

describe("the backup of the guide", () => {
  it("restores a data folder with the embedded database", async () => {
    const folder = await temporaryFolder();
    const data = path.join(folder, "data");
    await mkdir(data);
    const filled = await fill({ ...SETTINGS, RETOUCH_DATA_DIR: data });
    await stop(filled.server);
    const [backup, ...restore] = commandsUnder("With the embedded database");
    await run("sh", ["-ec", backup!], { cwd: folder });
    await rm(data, { recursive: true });
    await run("sh", ["-ec", restore.join("\n")], { cwd: folder });
    await expectRestored({ ...SETTINGS, RETOUCH_DATA_DIR: path.join(folder, "restored") }, filled);
  });

  it.skipIf(postgresMissing)("restores a PostgreSQL database that was in use, and the files", async () => {
    const folder = await temporaryFolder();
    const data = path.join(folder, "data");
    await mkdir(data);
    const names = ["before", "restored"].map((name) => `retouch_${name}_${process.pid}`);
    const [before, restored] = names as [string, string];
    const { hostname, port, username } = new URL(databaseUrl);
    const env = {
      ...process.env,
      PGHOST: hostname,
      PGPORT: port || "5432",
      PGUSER: username || "postgres",
    };
    const urlOf = (name: string): string => {
      const url = new URL(databaseUrl);
      url.pathname = `/${name}`;
      return url.href;
    };
    await run("createdb", [before], { env });
    onTestFinished(async () => {
      for (const name of names) await run("dropdb", ["--if-exists", "--force", name], { env });
    });
    const filled = await fill({ ...SETTINGS, RETOUCH_DATA_DIR: data, DATABASE_URL: urlOf(before) });
    const commands = commandsUnder("With PostgreSQL").map((line) =>
      line.replace(/\brestored$/, restored).replace("dbname=restored", `dbname=${restored}`),
    );
    const [dump, copy, ...restore] = commands;
    // The service runs meanwhile.
    await run("sh", ["-ec", `${dump}\n${copy}`], {
      cwd: folder,
      env: { ...env, DATABASE_URL: urlOf(before) },
    });
    await stop(filled.server);
    await rename(data, path.join(folder, "gone"));
    await run("sh", ["-ec", restore.join("\n")], { cwd: folder, env });
    await expectRestored(
      { ...SETTINGS, RETOUCH_DATA_DIR: path.join(folder, "restored-data"), DATABASE_URL: urlOf(restored) },
      filled,
    );
  });
});
