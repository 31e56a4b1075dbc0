/** What survives `kill -9` of the whole server, in the middle of its work. */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { serve, untilReady } from "../support/served.ts";
import { type DatabaseName, until } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary.ts";

const QUEUED = 12;
const LIMITS = { RETOUCH_REQUESTS_RATE: "1000" };
const KEY = "chosen-by-the-operator";

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("38: a server on %s that is killed", (database) => {
  it("does all it had acknowledged after its restart, each job once, and charges each once", async ({
    skip,
  }) => {
    if (database === "PostgreSQL" && postgresMissing !== undefined) skip(postgresMissing);
    const schema = newSchema();
    const settings = {
      ...LIMITS,
      RETOUCH_API_KEY: KEY,
      RETOUCH_DATA_DIR: await temporaryFolder(),
      ...(database === "PostgreSQL" ? { DATABASE_URL: databaseUrl, RETOUCH_DATABASE_SCHEMA: schema } : {}),
    };
    const first = await serve(settings);
    await untilReady(first);
    const submit = async (steps: number): Promise<string> => {
      const input = {
        prompt: "Make it night",
        image: `${first.address}/examples/bluebird.png`,
        size: "256*256",
        num_inference_steps: steps,
      };
      const { status, body } = await first.call("/run", { body: { input } });
      expect(status).toBe(200);
      return body.id as string;
    };
    const running = await submit(50);
    await until(
      () => first.call(`/status/${running}`),
      ({ body }) => body.status === "IN_PROGRESS",
    );
    const ids = [running, ...(await Promise.all(Array.from({ length: QUEUED }, () => submit(2))))];
    await first.end("SIGKILL");

    const second = await serve({ ...settings, RETOUCH_PORT: new URL(first.address).port });
    try {
      const done = await until(
        () => second.call("/requests?limit=100"),
        ({ body }) => {
          const ended = body.requests.filter((job: { status: string }) => job.status === "COMPLETED");
          return ended.length === ids.length;
        },
        // A lease that runs out first, and 13 edits, on a machine that does other things as well.
        { patienceMs: 90_000 },
      );
      expect(done.body.requests.map(({ id }: { id: string }) => id).toSorted()).toEqual(ids.toSorted());
      // Nothing runs a second time.
      await delay(500);
      expect((await second.call("/health")).body.jobs).toEqual({
        completed: ids.length,
        failed: 0,
        inProgress: 0,
        inQueue: 0,
        retried: 0,
      });
      const cost = done.body.requests.reduce(
        (sum: number, job: { output: { cost: number } }) => sum + job.output.cost,
        0,
      );
      const { total } = (await second.call("/usage")).body;
      expect(total).toEqual({ completed: ids.length, failed: 0, cost: expect.closeTo(cost, 6) });
      for (const { output } of done.body.requests) {
        expect((await fetch(output.image_url)).status).toBe(200);
      }
    } finally {
      await second.end("SIGTERM");
      if (database === "PostgreSQL") await dropSchema(schema);
    }
  });
});
