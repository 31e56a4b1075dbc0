/** The published Python clients, unmodified, against a server that was started as a user starts it. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";
import { environment, type Served, serve } from "../support/served.ts";
import { ENDPOINT, until } from "../support/service.ts";

const run = promisify(execFile);
const windows = process.platform === "win32";
const python = path.join(root, ".venv-clients", windows ? "Scripts/python.exe" : "bin/python");
const IMAGE = /^http:\/\/127\.0\.0\.1:\d+\/files\/\S+\.png\?/;

describe("40: the real Python clients", () => {
  let server: Served;
  beforeAll(async () => {
    server = await serve();
    await until(
      () => fetch(`${server.address}/readyz`),
      ({ status }) => status === 200,
    );
  });
  afterAll(() => server.end("SIGTERM"));

  /** @returns what the program printed */
  async function see(program: string): Promise<Record<string, unknown>> {
    const file = path.join(root, "test", "service", "python", program);
    const args = [`${server.address}/v2`, ENDPOINT, server.key, `${server.address}/examples/bluebird.png`];
    const { stdout } = await run(python, [file, ...args], { env: environment({}) });
    return JSON.parse(stdout) as Record<string, unknown>;
  }
  const progressOf = (pieces: unknown): unknown[] =>
    (pieces as { progress?: string }[]).slice(0, -1).map(({ progress }) => progress);

  it("runpod edits, queues, streams, cancels, purges and asks", async ({ skip }) => {
    if (!existsSync(python)) skip("no Python clients here; `npm run clients` installs them");
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

  it("runpod for asyncio edits, streams, cancels, purges and asks", async ({ skip }) => {
    if (!existsSync(python)) skip("no Python clients here; `npm run clients` installs them");
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
});
