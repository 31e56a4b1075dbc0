/** Waiting jobs that run together, with the real engine: the files are those that each gets alone. */
import { afterEach, expect, it } from "vitest";
import { sha256 } from "../../src/sha256.ts";
import { realEngine, startTestService, type TestService } from "../support/service.ts";

let server: TestService | undefined;
afterEach(() => server?.close());

it("are in progress at the same time, and give the bytes that each gives alone", async () => {
  const settings = { RETOUCH_BATCH: "2" };
  server = await startTestService({ database: "PGlite", engine: realEngine, settings });
  const { address, call, service } = server;
  const { key: other } = await service.keys.create("other");
  const image = `${address}/examples/bluebird.png`;
  const input = { image, size: "256*256", num_inference_steps: 40 };
  const inputs = [
    { ...input, prompt: "Make it night", seed: 1 },
    { ...input, prompt: "Make it a pencil sketch", seed: 2, guidance: 3.5 },
  ];
  const digestOf = async (body: { output: { image_url: string } }): Promise<string> =>
    sha256(new Uint8Array(await (await fetch(body.output.image_url)).arrayBuffer()));

  const alone: string[] = [];
  for (const one of inputs) {
    alone.push(await digestOf((await call("/runsync", { body: { input: one } })).body));
  }

  const keys = [server.key, other];
  const seen = new Set<string>();
  // A database that is slow to say that a job waits keeps nobody waiting: on a busy machine, that is tried again.
  for (let round = 0; round < 5 && !seen.has("IN_PROGRESS IN_PROGRESS"); round += 1) {
    // While this one runs, the others wait; it is of another kind.
    const busy = await call("/run", { body: { input: { ...inputs[0], num_inference_steps: 50 } } });
    await expect.poll(async () => (await call(`/status/${busy.body.id}`)).body.status).toBe("IN_PROGRESS");
    const jobs: { id: string; key: string }[] = [];
    for (const [index, one] of inputs.entries()) {
      const key = keys[index]!;
      jobs.push({ id: (await call("/run", { key, body: { input: one } })).body.id, key });
    }
    let answers: { status: string; output: { image_url: string } }[] = [];
    do {
      answers = await Promise.all(
        jobs.map(async ({ id, key }) => (await call(`/status/${id}`, { key })).body),
      );
      seen.add(answers.map(({ status }) => status).join(" "));
    } while (!answers.every(({ status }) => status === "COMPLETED"));
    expect(await Promise.all(answers.map(digestOf))).toEqual(alone);
  }
  expect(seen).toContain("IN_PROGRESS IN_PROGRESS");
});
