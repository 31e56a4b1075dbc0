/** The parent's side, against a real process that has no networks. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import type { JobEdit, JobProgress } from "../../src/jobs/job.ts";
import { createEngineProcess, type EngineProcess } from "../../src/worker/engine-process.ts";
import type { EngineSetup } from "../../src/worker/protocol.ts";
import { root } from "../support/fixtures.ts";
import { editOf, keysOf, recordedLog, stubEntry, workplace } from "./samples.ts";

async function prepare(changes: EngineSetup["engine"] = {}, options: { cancelGraceMs?: number } = {}) {
  const { storage, setup, image } = await workplace();
  const { log, lines, said } = recordedLog();
  const engine = createEngineProcess({
    setup: { ...setup, engine: { ...setup.engine, ...changes } },
    log,
    entry: stubEntry,
    ...options,
  });
  onTestFinished(() => engine.close());
  return { engine, storage, image, lines, said };
}

const run = (
  engine: EngineProcess,
  edit: JobEdit,
  options: { owner?: string; signal?: AbortSignal; onProgress?: (progress: JobProgress) => void } = {},
) =>
  engine.run("job", edit, {
    owner: "key",
    signal: new AbortController().signal,
    onProgress: () => {},
    ...options,
  });

describe("an engine process", () => {
  it("warns of an installed device that cannot be used", async () => {
    const { engine, lines } = await prepare({ device: "auto" });
    await engine.ready();
    expect(lines).toMatchObject([
      { level: "warn", msg: "CUDA cannot be used." },
      { level: "info", msg: "The engine is ready." },
    ]);
  });

  it("is started once, says its speed when it is warm, and then runs jobs", async () => {
    const { engine, storage, image, lines, said } = await prepare();
    expect(engine.isReady).toBe(false);
    const [first, second] = await Promise.all([engine.ready(), engine.ready()]);
    expect(first).toEqual({ nativeArea: 16384, grid: 16, stepMs: 1, fixedMs: 1 });
    expect(second).toBe(first);
    expect(engine.isReady).toBe(true);
    expect(said()).toEqual(["The engine is ready."]);
    expect(lines).toMatchObject([{ checkpoint: "stub", device: "cpu", reason: "a stub" }]);

    const progress: JobProgress[] = [];
    const outcome = await run(engine, editOf(image), { onProgress: (latest) => progress.push(latest) });
    const [key] = await keysOf(storage, "outputs");
    expect(outcome).toMatchObject({
      kind: "completed",
      result: { image: { kind: "stored", key }, model: "stub" },
    });
    expect(progress).toEqual([
      { step: 0, of: 4 },
      { step: 4, of: 4 },
    ]);
  });

  it("counts encodings on when the process is replaced, whose memory is gone", async () => {
    const { engine, image } = await prepare();
    expect(engine.encodings).toEqual({ hits: 0, misses: 0, bytes: 0 });
    await engine.ready();
    await run(engine, editOf(image));
    await run(engine, editOf(image));
    expect(engine.encodings).toEqual({ hits: 2, misses: 4, bytes: 8 });
    engine.kill("job");
    expect(engine.encodings).toEqual({ hits: 2, misses: 4, bytes: 0 });
    await engine.ready();
    await run(engine, editOf(image));
    expect(engine.encodings).toEqual({ hits: 3, misses: 6, bytes: 8 });
  });

  it("takes no download's answer for that of another, for the same job", async () => {
    const { setup } = await workplace();
    const held: ServerResponse[] = [];
    const server = createServer((request, response) => {
      if (request.url === "/slow") held.push(response);
      else response.end("quick");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { log } = recordedLog();
    const engine = createEngineProcess({
      setup: { ...setup, allowPrivateHosts: [host] },
      log,
      entry: stubEntry,
    });
    onTestFinished(() => engine.close());
    await engine.ready();
    const { signal } = new AbortController();
    const slow = engine.fetch("job", `http://${host}/slow`, { signal });
    const quick = await engine.fetch("job", `http://${host}/quick`, { signal });
    await expect.poll(() => held.length).toBe(1);
    held[0]!.end("slow");
    expect([quick, await slow]).toMatchObject([
      { kind: "fetched", bytes: 5 },
      { kind: "fetched", bytes: 4 },
    ]);
  });

  it("begins nothing where there is no process", async () => {
    const { engine, image } = await prepare();
    expect(await run(engine, editOf(image))).toEqual({ kind: "absent" });
  });

  it("passes a failure's sentence on, and keeps a defect's stack for the log", async () => {
    const { engine, image, lines } = await prepare();
    await engine.ready();
    expect(await run(engine, editOf(image, { prompt: "flagged" }))).toEqual({
      kind: "failed",
      error: "The safety checker refused the result.",
      failure: {
        code: "OUTPUT_FLAGGED",
        kind: "sentence",
        values: { sentence: "The safety checker refused the result." },
      },
    });
    expect(await run(engine, editOf(image, { prompt: "defect" }))).toEqual({
      kind: "failed",
      error: "The edit failed unexpectedly.",
    });
    expect(lines.slice(1)).toEqual([
      expect.objectContaining({
        level: "error",
        jobId: "job",
        msg: "The edit failed unexpectedly.",
        detail: expect.stringContaining("TypeError: Cannot read properties of undefined"),
      }),
    ]);
  });

  it("stops a job by its signal and takes the next one", async () => {
    const { engine, image } = await prepare();
    await engine.ready();
    const controller = new AbortController();
    const stopped = await run(engine, editOf(image, { prompt: "sleep 60000", numSteps: 28 }), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect(stopped).toEqual({ kind: "cancelled" });
    expect(await run(engine, editOf(image))).toMatchObject({ kind: "completed" });
  });

  it("is ended by force when a cancelled job does not stop, and started afresh", async () => {
    const { engine, image, said } = await prepare({}, { cancelGraceMs: 50 });
    await engine.ready();
    const controller = new AbortController();
    const outcome = await run(engine, editOf(image, { prompt: "hang" }), {
      signal: controller.signal,
      onProgress: ({ step, of }) => step === of && controller.abort(),
    });
    expect(outcome).toEqual({ kind: "crashed", error: "The engine process ended unexpectedly (SIGKILL)." });
    expect(engine.isReady).toBe(false);
    await engine.ready();
    expect(await run(engine, editOf(image))).toMatchObject({ kind: "completed" });
    // What we ended ourselves is no news.
    expect(said()).toEqual(["The engine is ready.", "The engine is ready."]);
  });

  it("says that it crashed, and is started afresh", async () => {
    const { engine, image, said } = await prepare();
    await engine.ready();
    const error = "The engine process ended unexpectedly (SIGKILL).";
    expect(await run(engine, editOf(image, { prompt: "crash" }))).toEqual({ kind: "crashed", error });
    expect(said()).toEqual(["The engine is ready.", error]);
    await engine.ready();
    expect(await run(engine, editOf(image))).toMatchObject({ kind: "completed" });
  });

  it.each([
    ["unusable", "The checkpoint is missing."],
    ["crash", "The engine process ended unexpectedly (exit code 3)."],
  ])("gives the reason each time it cannot be started: %s", async (checkpoint, reason) => {
    const { engine } = await prepare({ checkpoint });
    await expect(engine.ready()).rejects.toThrow(reason);
    expect(engine.isReady).toBe(false);
    await expect(engine.ready()).rejects.toThrow(reason);
  });

  it("can be closed twice, while it starts too, and is not started again", async () => {
    const { engine } = await prepare();
    const starting = expect(engine.ready()).rejects.toThrow("(SIGKILL)");
    await Promise.all([engine.close(), engine.close()]);
    await starting;
    await expect(engine.ready()).rejects.toThrow("The engine process was closed.");
  });
});

const noProcessList = process.platform !== "linux";

describe.skipIf(noProcessList)("an engine process whose parent is gone", () => {
  // Idle it hears that the channel ends; stuck in a network's step it hears nothing, and a thread sees to it.
  it.each([
    ["sleep 60000", 0],
    ["hang", 4],
  ])("ends: %s", async (prompt, step) => {
    const { setup, image } = await workplace();
    const program = `
      const { createEngineProcess } = await import(${JSON.stringify(pathToFileURL(path.join(root, "dist/worker/engine-process.js")))});
      const log = { info() {}, error() {}, warn() {} };
      const engine = createEngineProcess({ setup: ${JSON.stringify(setup)}, log, entry: new URL(${JSON.stringify(stubEntry)}) });
      await engine.ready();
      engine.run("job", ${JSON.stringify(editOf(image, { prompt }))}, {
        signal: new AbortController().signal,
        onProgress: (progress) => console.log(progress.step),
      });
    `;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const chunk of parent.stdout) if (String(chunk).includes(`${step}\n`)) break;
    const child = Number(readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, "utf8"));
    expect(isAlive(child)).toBe(true);
    parent.kill("SIGKILL");
    await expect.poll(() => isAlive(child)).toBe(false);
  });
});

/** A process that ended and that nobody asked about yet is still listed. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
