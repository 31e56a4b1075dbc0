/** The published Python clients, unmodified, against a server that was started as a user starts it. */
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonProgram, withoutPython } from "../../tools/python.ts";
import { fixtures, root } from "../support/fixtures.ts";
import { environment, type Served, serve } from "../support/served.ts";
import { ENDPOINT, until } from "../support/service.ts";

const run = promisify(execFile);
const python = pythonProgram("clients");
/** A second endpoint, whose model takes several images, or none. */
const KLEIN = "klein";
const KLEIN_FOLDER = path.join(fixtures, "klein", "checkpoints", "plain");
const IMAGE = /^http:\/\/127\.0\.0\.1:\d+\/files\/\S+\.png\?/;

describe("40: the real Python clients", () => {
  let server: Served;
  beforeAll(async () => {
    server = await serve({ RETOUCH_MODELS: `${KLEIN}=${KLEIN_FOLDER}` });
    await until(
      () => fetch(`${server.address}/readyz`),
      ({ status }) => status === 200,
    );
  });
  afterAll(() => server.end("SIGTERM"));

  /** @returns what the program printed */
  async function see(program: string, interpreter = python): Promise<Record<string, unknown>> {
    const file = path.join(root, "test", "service", "python", program);
    const args = [`${server.address}/v2`, ENDPOINT, server.key, `${server.address}/examples/bluebird.png`];
    const { stdout } = await run(interpreter, [file, ...args], { env: environment({}) });
    return JSON.parse(stdout) as Record<string, unknown>;
  }
  /** Calls of an endpoint whose model takes several images. */
  async function seeImages(): Promise<Record<string, unknown>> {
    const file = path.join(root, "test", "service", "python", "runpod_images.py");
    const images = ["bluebird", "teapot"].map((name) => `${server.address}/examples/${name}.png`);
    const { stdout } = await run(python, [file, `${server.address}/v2`, KLEIN, server.key, ...images], {
      env: environment({}),
    });
    return JSON.parse(stdout) as Record<string, unknown>;
  }
  const bytesOf = async (output: unknown): Promise<Buffer> => {
    const response = await fetch((output as { image_url: string }).image_url);
    return Buffer.from(await response.arrayBuffer());
  };
  const progressOf = (pieces: unknown): unknown[] =>
    (pieces as { progress?: string }[]).slice(0, -1).map(({ progress }) => progress);

  it("runpod edits, queues, streams, cancels, purges and asks", async ({ skip }) => {
    skip(withoutPython("clients") !== undefined, withoutPython("clients"));
    const seen = await see("runpod_sync.py");
    expect(seen).toMatchObject({
      version: "1.12.0",
      run_sync: { image_url: expect.stringMatching(IMAGE), cost: 0.001966 },
      first_status: expect.stringMatching(/^IN_/),
      output: { image_url: expect.stringMatching(IMAGE), num_inference_steps: 50 },
      last_status: "COMPLETED",
      cancel: { status: "CANCELLED" },
      purge: { removed: 1, status: "completed" },
      health: { jobs: { inQueue: 0 }, workers: { ready: 1 } },
      // What this client makes of a failed job; /status has the sentence.
      failed_output: null,
      wrong_key: expect.stringMatching(/^401/),
    });
    expect(progressOf(seen["stream"])).toContain("50/50");
    expect((seen["stream"] as unknown[]).at(-1)).toMatchObject({ image_url: expect.stringMatching(IMAGE) });
  });

  it("edit several images and draw without one at another endpoint", async ({ skip }) => {
    skip(withoutPython("clients") !== undefined, withoutPython("clients"));
    const { several, none, ...seen } = await seeImages();
    // The model's own steps; the reference is seen at the size of the result, whose shape it has.
    const output = {
      image_url: expect.stringMatching(IMAGE),
      size: "256*256",
      num_inference_steps: 4,
      seed: 1,
    };
    expect(several).toMatchObject({ ...output, reference_size: "256*256" });
    expect(none).toMatchObject(output);
    expect(none).not.toHaveProperty("reference_size");
    expect(seen["under_another_name"]).toMatchObject({ ...output, reference_size: "256*256" });
    expect(seen["too_many"]).toMatch(/400/);
    const [ofSeveral, ofNone] = await Promise.all([several, none].map(bytesOf));
    expect(await bytesOf(seen["under_another_name"])).toEqual(ofSeveral);
    expect(ofNone).not.toEqual(ofSeveral);
    const [later, alone] = seen["asyncio"] as unknown[];
    expect(await bytesOf(later)).toEqual(ofSeveral);
    expect(await bytesOf(alone)).toEqual(ofNone);
  });

  it("runpod for asyncio edits, streams, cancels, purges and asks", async ({ skip }) => {
    skip(withoutPython("clients") !== undefined, withoutPython("clients"));
    const seen = await see("runpod_asyncio.py");
    expect(seen).toMatchObject({
      first_status: expect.stringMatching(/^(?:IN_|COMPLETED)/),
      output: { image_url: expect.stringMatching(IMAGE), cost: 0.001966 },
      last_status: "COMPLETED",
      cancel: { status: "CANCELLED" },
      purge: { removed: 0, status: "completed" },
      health: { workers: { ready: 1 } },
    });
    expect(progressOf(seen["stream"])).toContain("50/50");
    expect((seen["stream"] as unknown[]).at(-1)).toMatchObject({ image_url: expect.stringMatching(IMAGE) });
  });

  describe("of the release candidate of runpod 2.0", () => {
    const why = withoutPython("candidates");
    const candidate = pythonProgram("candidates");

    it("edit, stream, cancel and fail through its queues, plain and awaited", async ({ skip }) => {
      skip(why !== undefined, why);
      const output = { image_url: expect.stringMatching(IMAGE), num_inference_steps: 4 };
      const seen = await see("runpod_candidate.py", candidate);
      expect(seen).toMatchObject({
        version: "2.0.0rc2",
        remote: output,
        result: output,
        status: "COMPLETED",
        same: seen["result"],
        cancelled: "CANCELLED",
        failed: expect.stringMatching(/^RemoteExecutionError: remote execution failed: image/),
        refused: expect.stringMatching(/^ClientResponseError: 400/),
        unknown: expect.stringMatching(/^EndpointNotFound: /),
        awaited: [output, output],
      });
      expect(progressOf(seen["stream"])).toContain("50/50");
      expect((seen["stream"] as unknown[]).at(-1)).toMatchObject({ image_url: expect.stringMatching(IMAGE) });
    });

    it("edit as those of 1.x do through its endpoints, plain and with asyncio", async ({ skip }) => {
      skip(why !== undefined, why);
      const seen = await see("runpod_sync.py", candidate);
      expect(seen).toMatchObject({
        version: "2.0.0rc2",
        run_sync: { image_url: expect.stringMatching(IMAGE) },
        last_status: "COMPLETED",
        cancel: { status: "CANCELLED" },
        purge: { removed: 1, status: "completed" },
        health: { workers: { ready: 1 } },
        wrong_key: expect.stringMatching(/^401/),
      });
      expect(await see("runpod_asyncio.py", candidate)).toMatchObject({
        output: { image_url: expect.stringMatching(IMAGE) },
        cancel: { status: "CANCELLED" },
      });
    });
  });
});
