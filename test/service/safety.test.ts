/** What becomes of a refused result, with the real engine: a threshold near zero refuses everything. */
import { afterEach, describe, expect, it } from "vitest";
import { quoted } from "../../src/database/migrations.ts";
import { type Answer, realEngine, startTestService, type TestService, until } from "../support/service.ts";
import { keysOf } from "../worker/samples.ts";

const REFUSED =
  /^The safety checker refused the result: it looks pornographic \(score [01]\.\d{3}, refused from 0\.000001\)\.$/;
const LOW_THRESHOLD = { RETOUCH_SAFETY_THRESHOLD: "0.000001" };

let server: TestService | undefined;
afterEach(() => server?.close());

async function start(settings: Record<string, string>) {
  const started = await startTestService({ database: "PGlite", engine: realEngine, settings });
  server = started;
  const image = `${started.address}/examples/bluebird.png`;
  return {
    edit: (input: object = {}): Promise<Answer> =>
      started.call("/runsync", {
        body: {
          input: { prompt: "Make it night", image, size: "256*256", num_inference_steps: 1, ...input },
        },
      }),
    ended: (id: string): Promise<Answer> =>
      until(
        () => started.call(`/status/${id}`),
        ({ body }) => body.status === "FAILED" || body.status === "COMPLETED",
      ),
    call: started.call,
    usage: async (): Promise<unknown> => (await started.call("/usage")).body.total,
    outputs: (): Promise<string[]> => keysOf(started.service.data.storage, "outputs"),
    database: started.service.data.database,
  };
}

describe("a refused result", () => {
  it("fails its job with a sentence, is kept nowhere and costs nothing, unless the request goes without the check", async () => {
    const { edit, usage, outputs } = await start(LOW_THRESHOLD);
    for (const input of [{}, { enable_safety_checker: true }, { enable_base64_output: true }]) {
      const { status, body } = await edit(input);
      expect({ status, body }).toMatchObject({
        status: 200,
        body: { status: "FAILED", error: expect.stringMatching(REFUSED) },
      });
      expect(body).not.toHaveProperty("output");
    }
    expect(await outputs()).toEqual([]);
    expect(await usage()).toEqual({ completed: 0, failed: 3, cost: 0 });

    const { body } = await edit({ enable_safety_checker: false });
    expect(body.status).toBe("COMPLETED");
    expect(body.output).not.toHaveProperty("safety_score");
    expect(await outputs()).toHaveLength(1);
    expect(await usage()).toEqual({ completed: 1, failed: 3, cost: body.output.cost });
  });
});

describe("a server that checks every result", () => {
  it("refuses a request without the check, and checks a job that is older than this rule", async () => {
    const { edit, ended, call, database, outputs } = await start({
      ...LOW_THRESHOLD,
      RETOUCH_SAFETY: "required",
    });
    expect(await edit({ enable_safety_checker: false })).toMatchObject({
      status: 400,
      body: {
        status: "FAILED",
        error: "enable_safety_checker must not be false: this server checks every result.",
      },
    });
    const { id } = (await edit()).body;
    await database.query(
      `update ${quoted(database.schema)}.jobs set edit = jsonb_set(edit, '{isSafetyChecked}', 'false') where id = $1`,
      [id],
    );
    expect(await call(`/retry/${id}`, { method: "POST" })).toMatchObject({ status: 200 });
    expect((await ended(id)).body).toMatchObject({
      status: "FAILED",
      error: expect.stringMatching(REFUSED),
    });
    expect(await outputs()).toEqual([]);
  });
});

describe("a server as it is installed", () => {
  it("checks every result and says how it was rated", async () => {
    const { edit } = await start({});
    const { body } = await edit();
    expect(body.status).toBe("COMPLETED");
    expect(body.output.safety_score).toBeGreaterThan(0);
    expect(body.output.safety_score).toBeLessThan(0.1);
  });
});
