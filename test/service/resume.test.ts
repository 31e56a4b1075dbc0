/**
 * Edits go on where they were interrupted: `kill -9` of the engine, of the whole server and of one of two workers. The real
 * engine and the shipped checkpoint; RETOUCH_RESUME_AFTER=0s keeps edits of a few seconds as if they took hours.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { decodeState, encodeState } from "../../src/engine/state-file.ts";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { root } from "../support/fixtures.ts";
import { environment, serve, type Served, untilReady } from "../support/served.ts";
import { usedDataFolder } from "../support/embedded.ts";
import { type Answer, until } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary.ts";

const NUM_STEPS = 30;
/** Steps after which something happens to the edit. */
const ENOUGH = 6;
// Each starts servers, engines included, one after the other.
vi.setConfig({ testTimeout: 600_000 });
const KEY = "chosen-by-the-operator";
const PATIENCE = { patienceMs: 240_000 };
const GOES_ON = /The edit goes on after step (\d+) of 30\./;

async function settingsOf(changes: Record<string, string> = {}): Promise<Record<string, string>> {
  return {
    RETOUCH_API_KEY: KEY,
    RETOUCH_LOG_LEVEL: "info",
    RETOUCH_RESUME_AFTER: "0s",
    // Each service signs receipts with its own key, so that files of two of them would differ.
    RETOUCH_METADATA_RECEIPT: "false",
    RETOUCH_DATA_DIR: await usedDataFolder(),
    ...changes,
  };
}

async function start(settings: Record<string, string>): Promise<Served> {
  const server = await serve(settings);
  onTestFinished(() => void server.end("SIGKILL"));
  await untilReady(server, PATIENCE);
  return server;
}

async function submit(server: Served): Promise<string> {
  const input = {
    prompt: "Make it night",
    image: `${server.address}/examples/bluebird.png`,
    size: "256*256",
    num_inference_steps: NUM_STEPS,
    seed: 7,
  };
  const { status, body } = await server.call("/run", { body: { input } });
  expect(status).toBe(200);
  return body.id as string;
}

const stepOf = ({ body }: Answer): number => Number(/^(\d+)\//.exec(body.output?.progress ?? "")?.[1] ?? 0);

/** Those that have their names: a file that a process was killed in the middle of goes after an hour. */
const statesIn = async (folder: string): Promise<string[]> => {
  const states = path.join(folder, "files", "states");
  const names = (await readdir(states).catch(() => [])).filter((name) => !name.startsWith("."));
  return names.map((name) => path.join(states, name));
};

/** Waits until the job is well under way and a state of it is kept. */
async function untilKept(server: Served, folder: string, id: string): Promise<Answer> {
  await until(
    () => statesIn(folder),
    (files) => files.length > 0,
    PATIENCE,
  );
  return until(
    () => server.call(`/status/${id}`),
    (answer) => stepOf(answer) >= ENOUGH,
    PATIENCE,
  );
}

async function imageOf(server: Served, id: string): Promise<{ image: Buffer; output: Answer["body"] }> {
  const { body } = await until(
    () => server.call(`/status/${id}`),
    (answer) => answer.body.status === "COMPLETED",
    PATIENCE,
  );
  // The address is that of the server that took the job, which may be gone.
  const { pathname, search } = new URL(body.output.image_url);
  const response = await fetch(`${server.address}${pathname}${search}`);
  expect(response.status).toBe(200);
  return { image: Buffer.from(await response.arrayBuffer()), output: body.output };
}

/** Made once: nothing of it depends on the server. */
let undisturbed: Buffer | undefined;

/** The result has the bytes of the same edit undisturbed, it was charged once, and nothing is kept of it. */
async function expectAsUndisturbed(server: Served, folder: string, id: string): Promise<Answer["body"]> {
  const { image, output } = await imageOf(server, id);
  const { total } = (await server.call("/usage")).body;
  expect(total).toEqual({ completed: 1, failed: 0, cost: output.cost });
  undisturbed ??= (await imageOf(server, await submit(server))).image;
  expect(image.equals(undisturbed)).toBe(true);
  await expectNothingKept(folder);
  return output;
}

const expectNothingKept = (folder: string): Promise<string[]> =>
  until(
    () => statesIn(folder),
    (files) => files.length === 0,
  );

/** Processes that this one has started. */
async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").map(Number);
}

const resumedStep = (log: string): number => Number(GOES_ON.exec(log)?.[1]);

describe.skipIf(process.platform !== "linux")("an edit that is interrupted on an embedded database", () => {
  it("goes on after its engine was killed, and never shows less than was kept", async () => {
    const settings = await settingsOf();
    const folder = settings["RETOUCH_DATA_DIR"]!;
    const server = await start(settings);
    const id = await submit(server);
    await untilKept(server, folder, id);
    for (const pid of await childrenOf(server.pid)) process.kill(pid, "SIGKILL");

    const shown: number[] = [];
    await until(
      () => server.call(`/status/${id}`),
      (answer) => {
        if (answer.body.status === "IN_PROGRESS") shown.push(stepOf(answer));
        return answer.body.status === "COMPLETED";
      },
      PATIENCE,
    );
    const from = resumedStep(server.log());
    expect(from).toBeGreaterThan(0);
    expect(Math.min(...shown)).toBeGreaterThanOrEqual(Math.min(from, ENOUGH));
    const output = await expectAsUndisturbed(server, folder, id);
    expect(output.notices).toBeUndefined();
  });

  it("goes on after the whole server was killed", async () => {
    const settings = await settingsOf();
    const folder = settings["RETOUCH_DATA_DIR"]!;
    const first = await start(settings);
    const id = await submit(first);
    await untilKept(first, folder, id);
    await first.end("SIGKILL");
    const second = await start(settings);
    const output = await expectAsUndisturbed(second, folder, id);
    expect(resumedStep(second.log())).toBeGreaterThan(0);
    expect(output.notices).toBeUndefined();
  });

  it("goes on after a stop whose deadline passed", async () => {
    const settings = await settingsOf({ RETOUCH_SHUTDOWN_DEADLINE: "500ms" });
    const folder = settings["RETOUCH_DATA_DIR"]!;
    const first = await start(settings);
    const id = await submit(first);
    await untilKept(first, folder, id);
    await first.end("SIGTERM");
    const second = await start(settings);
    await expectAsUndisturbed(second, folder, id);
    expect(resumedStep(second.log())).toBeGreaterThan(0);
  });

  it("says that its bytes may differ where another build had begun it", async () => {
    const settings = await settingsOf();
    const folder = settings["RETOUCH_DATA_DIR"]!;
    const first = await start(settings);
    const id = await submit(first);
    await untilKept(first, folder, id);
    await first.end("SIGKILL");
    for (const file of await statesIn(folder)) {
      const state = decodeState(await readFile(file));
      await writeFile(file, encodeState({ ...state, environment: { ...state.environment, build: "0.9.0" } }));
    }
    const second = await start(settings);
    const { output } = await imageOf(second, id);
    expect(resumedStep(second.log())).toBeGreaterThan(0);
    expect(output.notices).toEqual([
      "This edit was interrupted and went on with another version of Retouch: its bytes may differ from those of an undisturbed run.",
    ]);
  });

  it("starts from the beginning where what was kept is damaged", async () => {
    const settings = await settingsOf();
    const folder = settings["RETOUCH_DATA_DIR"]!;
    const first = await start(settings);
    const id = await submit(first);
    await untilKept(first, folder, id);
    await first.end("SIGKILL");
    for (const file of await statesIn(folder)) {
      const bytes = await readFile(file);
      bytes[bytes.length - 100]! ^= 1;
      await writeFile(file, bytes);
    }
    const second = await start(settings);
    const output = await expectAsUndisturbed(second, folder, id);
    expect(output.notices).toBeUndefined();
    expect(second.log()).toContain(
      "The edit starts from the beginning: its state is damaged: its digest is another.",
    );
    expect(second.log()).not.toMatch(GOES_ON);
  });
});

describe.skipIf(postgresMissing !== undefined || process.platform !== "linux")("of two workers", () => {
  it("one goes on where the other was killed", async () => {
    const schema = newSchema();
    onTestFinished(() => dropSchema(schema));
    const settings = await settingsOf({
      DATABASE_URL: databaseUrl,
      RETOUCH_DATABASE_SCHEMA: schema,
      RETOUCH_DATA_DIR: await temporaryFolder(),
    });
    const folder = settings["RETOUCH_DATA_DIR"]!;
    const server = await serve({ ...settings, RETOUCH_WORKERS: "0" });
    onTestFinished(() => void server.end("SIGKILL"));
    const workers = [startWorker(settings), startWorker(settings)];
    await until(
      () => server.call("/health"),
      ({ body }) => body.workers.ready === 2,
      PATIENCE,
    );
    const id = await submit(server);
    const { body } = await untilKept(server, folder, id);
    const busy = workers.find((worker) => worker.log().includes(body.workerId))!;
    busy.kill();

    const next = await until(
      () => server.call(`/status/${id}`),
      (answer) => answer.body.workerId !== undefined && answer.body.workerId !== body.workerId,
      PATIENCE,
    );
    expect(stepOf(next)).toBeGreaterThan(0);
    const output = await expectAsUndisturbed(server, folder, id);
    expect(output.notices).toBeUndefined();
    expect(resumedStep(workers.find((worker) => worker !== busy)!.log())).toBeGreaterThan(0);
    await server.end("SIGTERM");
  });
});

/** `retouch worker` as a process of its own. */
function startWorker(settings: Record<string, string>): { log: () => string; kill: () => void } {
  const child = spawn(process.execPath, [path.join(root, "bin", "retouch.js"), "worker"], {
    cwd: settings["RETOUCH_DATA_DIR"],
    env: environment(settings),
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  return { log: () => log, kill: () => void child.kill("SIGKILL") };
}
