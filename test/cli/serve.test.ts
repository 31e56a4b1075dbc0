/** `retouch serve` and `retouch worker` as a user runs them. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import sharp from "sharp";
import { describe, expect, it, onTestFinished } from "vitest";
import { startS3Server } from "../support/s3-server.ts";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { usedDataFolder } from "../support/embedded.ts";
import { fixtures, root } from "../support/fixtures.ts";
import { environment, freePort, type Served, serve, untilReady } from "../support/served.ts";
import { until } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary.ts";

const program = path.join(root, "bin", "retouch.js");
const shell = promisify(execFile);

/** A server that ends with the test, whatever becomes of it. */
async function started(settings: Record<string, string> = {}): Promise<Served> {
  const server = await serve(settings);
  onTestFinished(async () => void (await server.end("SIGKILL")));
  return server;
}

async function retouch(args: readonly string[], settings: Record<string, string>) {
  const child = spawn(process.execPath, [program, ...args], { cwd: tmpdir(), env: environment(settings) });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => (output[name] += chunk.toString()));
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...output };
}

const editOf = (server: Served, more: object = {}): { input: object } => ({
  input: {
    prompt: "Make it night",
    image: `${server.address}/examples/bluebird.png`,
    size: "256*256",
    num_inference_steps: 2,
    ...more,
  },
});

describe("retouch serve", () => {
  it("prints the steps and the guidance of its own model", async () => {
    const { welcome } = await started({
      RETOUCH_CHECKPOINT: path.join(fixtures, "klein", "checkpoints", "plain"),
      RETOUCH_REFERENCE_CACHE: "approximate",
      RETOUCH_WORKERS: "0",
    });
    expect(welcome).toContain('"num_inference_steps": 4,\n    "guidance": 1,');
  });

  it("prints a key once, and a command that works as it is pasted", async () => {
    const folder = await temporaryFolder();
    const first = await started({ RETOUCH_DATA_DIR: folder });
    expect(first.key).toMatch(/^rtk_[\w-]{32}$/);
    expect(first.welcome).toMatch(/^Its webhooks are signed with: whsec_[A-Za-z0-9+/]{32}$/m);
    expect(first.welcome).toContain(`Playground: ${first.address}/#key=${first.key}\n`);
    const command = /^curl [\s\S]*?^}'$/m.exec(first.welcome)![0];
    await untilReady(first);
    const { stdout } = await shell("bash", ["-c", `${command} --silent`]);
    expect(JSON.parse(stdout)).toMatchObject({
      id: expect.stringMatching(/^sync-/),
      status: "COMPLETED",
      delayTime: expect.any(Number),
      executionTime: expect.any(Number),
      workerId: expect.stringMatching(/^[a-z0-9]{14}$/),
      output: { image_url: expect.stringMatching(/^http/), cost: 0.031457 },
    });
    const url: string = JSON.parse(stdout).output.image_url;
    const picture = Buffer.from(await (await fetch(url)).arrayBuffer());
    expect(await sharp(picture).metadata()).toMatchObject({ format: "png", width: 1024, height: 1024 });
    expect(await first.end("SIGTERM")).toBe(143);

    const second = await started({ RETOUCH_DATA_DIR: folder, RETOUCH_PORT: new URL(first.address).port });
    expect(second.welcome).not.toContain(first.key);
    expect(second.welcome).not.toContain("whsec_");
    expect(second.welcome).toContain("API key: the one you already have");
    expect(second.welcome).toContain(`Playground: ${second.address}/\n`);
    expect((await second.call("/health", { key: first.key })).status).toBe(200);
    expect((await fetch(url)).status).toBe(200);
    // Nothing of the folder is for other users of the machine.
    for (const name of [".", "database", "files"]) {
      expect((await stat(path.join(folder, name))).mode & 0o077, name).toBe(0);
    }
  });

  it("takes the operator's own key, and does not repeat it", async () => {
    const server = await started({ RETOUCH_API_KEY: "chosen-by-the-operator" });
    expect(server.welcome).not.toContain("chosen-by-the-operator");
    expect(server.welcome).not.toContain("#key=");
    expect((await server.call("/health")).status).toBe(200);
  });

  it("says in one sentence that the port is taken, and keeps nothing open", async () => {
    const server = await started();
    const port = new URL(server.address).port;
    const { code, stdout, stderr } = await retouch(["serve"], {
      RETOUCH_PORT: port,
      RETOUCH_DATA_DIR: await usedDataFolder(),
      RETOUCH_LOG_LEVEL: "warn",
    });
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: "",
      stderr: `retouch: RETOUCH_PORT: the port ${port} is in use; choose another one, such as RETOUCH_PORT=${Number(port) + 1}.\n`,
    });
  });

  it("is refused on a folder that another one has, which loses nothing", async () => {
    const folder = await usedDataFolder();
    const server = await started({ RETOUCH_DATA_DIR: folder });
    const { code, stderr } = await retouch(["serve"], {
      RETOUCH_PORT: String(await freePort()),
      RETOUCH_DATA_DIR: folder,
    });
    expect(code).toBe(1);
    expect(stderr).toBe(`retouch: The data folder ${folder} is in use by process ${server.pid}.\n`);
    const { body } = await server.call("/run", { body: editOf(server) });
    expect((await server.call(`/status/${body.id}`)).status).toBe(200);
  });

  it("names every wrong setting, and starts nothing", async () => {
    const folder = path.join(await temporaryFolder(), "data");
    const { code, stderr } = await retouch(["serve"], {
      RETOUCH_DATA_DIR: folder,
      RETOUCH_PORT: "99999",
      RETOUCH_PRISE: "0",
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^retouch: RETOUCH_PORT must be .*\nretouch: RETOUCH_PRISE is not a setting; .*\n$/,
    );
    await expect(stat(folder)).rejects.toThrow("ENOENT");
  });

  it("lets the running job end when it is told to stop, and keeps the rest for the next start", async () => {
    const settings = { RETOUCH_DATA_DIR: await usedDataFolder(), RETOUCH_API_KEY: "chosen-by-the-operator" };
    const first = await started(settings);
    await untilReady(first);
    const ids: string[] = [];
    for (const steps of [20, 2]) {
      const { body } = await first.call("/run", { body: editOf(first, { num_inference_steps: steps }) });
      ids.push(body.id);
    }
    await until(
      () => first.call(`/status/${ids[0]}`),
      ({ body }) => body.status === "IN_PROGRESS",
    );
    expect(await first.end("SIGTERM")).toBe(143);
    const second = await started(settings);
    const { body: running } = await second.call(`/status/${ids[0]}`);
    expect(running).toMatchObject({ status: "COMPLETED", output: { num_inference_steps: 20 } });
    const { body: waiting } = await second.call(`/status-sync/${ids[1]}?wait=100000`);
    expect(waiting.status).toBe("COMPLETED");
  });

  it("shows in /health and /readyz that it warms up or cannot, and why in the log alone", async () => {
    const checkpoint = await temporaryFolder();
    const server = await started({ RETOUCH_CHECKPOINT: checkpoint, RETOUCH_LOG_LEVEL: "fatal" });
    const { body } = await until(
      () => server.call("/health"),
      (answer) => answer.body.workers.unhealthy === 1,
    );
    expect(body.workers).toMatchObject({ ready: 0, idle: 0, initializing: 0 });
    const ready = await fetch(`${server.address}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ error: "The engine cannot be loaded; the log says why." });
  });
});

describe("RETOUCH_CHECKPOINT with the name of a repository", () => {
  const REPOSITORY = "somebody/kontext";

  it.each(["serve", "worker"])("is refused by retouch %s where nothing was", async (command) => {
    const cache = await temporaryFolder();
    const folder = path.join(cache, "data");
    const settings = { RETOUCH_CHECKPOINT: REPOSITORY, HF_HUB_CACHE: cache, RETOUCH_DATA_DIR: folder };
    expect(await retouch([command], settings)).toEqual({
      code: 1,
      stdout: "",
      stderr: `retouch: There is no folder ${REPOSITORY}, and no such repository in ${cache}: retouch pull ${REPOSITORY} downloads it.\n`,
    });
    await expect(stat(folder)).rejects.toThrow("ENOENT");
  });
});

describe("retouch worker", () => {
  it("says what it needs", async () => {
    const { code, stderr } = await retouch(["worker"], { RETOUCH_DATA_DIR: await temporaryFolder() });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^retouch: DATABASE_URL must be set: [^\n]*\n$/);
  });

  it("does the jobs of a server without workers, over PostgreSQL and S3", async ({ skip }) => {
    if (postgresMissing !== undefined) skip(postgresMissing);
    const bucket = await startS3Server();
    const schema = newSchema();
    onTestFinished(async () => {
      await bucket.close();
      await dropSchema(schema);
    });
    const shared = {
      DATABASE_URL: databaseUrl,
      RETOUCH_DATABASE_SCHEMA: schema,
      RETOUCH_S3_BUCKET: bucket.bucket,
      RETOUCH_S3_ENDPOINT: bucket.endpoint,
      RETOUCH_S3_ACCESS_KEY_ID: bucket.credentials.accessKeyId,
      RETOUCH_S3_SECRET_ACCESS_KEY: bucket.credentials.secretAccessKey,
      RETOUCH_LOG_LEVEL: "warn",
    };
    const server = await started({ ...shared, RETOUCH_WORKERS: "0" });
    const worker = spawn(process.execPath, [program, "worker"], {
      cwd: tmpdir(),
      env: environment(shared),
      stdio: "ignore",
    });
    onTestFinished(() => void worker.kill("SIGKILL"));
    const ended = once(worker, "exit");
    const { body } = await server.call("/runsync?wait=60000", { body: editOf(server) });
    expect(body.status).toBe("COMPLETED");
    const response = await fetch(body.output.image_url as string);
    expect(response.headers.get("content-type")).toBe("image/png");
    worker.kill("SIGTERM");
    expect((await ended)[0]).toBe(143);
    expect((await server.call("/health")).body.workers.ready).toBe(0);
  }, 90_000);
});
