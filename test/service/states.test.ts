/** Kept states in the whole service, with an engine that is killed or ends by itself; the real one is resume.test.ts. */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { postgresMissing } from "../support/databases.ts";
import { collect } from "../support/buckets.ts";
import { type DatabaseName, startTestService, type TestService, until } from "../support/service.ts";

async function start(database: DatabaseName, settings: Record<string, string> = {}): Promise<TestService> {
  const service = await startTestService({ database, settings: { RETOUCH_RESUME_AFTER: "0s", ...settings } });
  onTestFinished(() => service.close());
  return service;
}

async function submit(
  { call, address }: TestService,
  prompt: string,
  changes: Record<string, unknown> = {},
  policy?: Record<string, unknown>,
): Promise<string> {
  const input = {
    ...changes,
    prompt,
    image: `${address}/examples/bluebird.png`,
    size: "256*256",
    num_inference_steps: 10,
  };
  return (await call("/run", { body: { input, policy } })).body.id as string;
}

const ended = (service: TestService, id: string) =>
  until(
    () => service.call(`/status/${id}`),
    ({ body }) => !["IN_QUEUE", "IN_PROGRESS"].includes(body.status),
    // Engines are started again in between.
    { patienceMs: 90_000 },
  );

const expectNothingKept = (service: TestService) =>
  until(
    () => collect(service.service.data.storage.list("states")),
    (states) => states.length === 0,
  );

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("a service on %s", (database) => {
  describe.skipIf(database === "PostgreSQL" && postgresMissing !== undefined)("that keeps states", () => {
    it("ends a job that ends its engine after the same step each time, and runs it no more often than twice from there", async () => {
      const service = await start(database);
      const id = await submit(service, "crash 3");
      const { body } = await ended(service, id);
      expect(body).toMatchObject({ status: "FAILED", error: expect.stringContaining("SIGKILL") });
      await expectNothingKept(service);
      // What was queued behind it runs.
      expect((await ended(service, await submit(service, "sleep 1"))).body.status).toBe("COMPLETED");
    });

    it("deletes the state of a job that is cancelled, and none is written after it", async () => {
      const service = await start(database);
      const id = await submit(service, "sleep 3000");
      await until(
        () => collect(service.service.data.storage.list("states")),
        (states) => states.length > 0,
      );
      await service.call(`/cancel/${id}`, { method: "POST" });
      await expectNothingKept(service);
      await delay(200);
      await expectNothingKept(service);
    });

    it("keeps the finished ones of several results, however short the job, and deletes them with its end", async () => {
      const service = await start(database, { RETOUCH_RESUME_AFTER: "1m" });
      const stored = () => collect(service.service.data.storage.list("states"));
      // Each attempt ends after its third result; the second one begins with these.
      const failing = await submit(service, "crash 35", { num_images: 4 });
      const { body } = await ended(service, failing);
      expect(body).toMatchObject({ status: "FAILED", error: expect.stringContaining("SIGKILL") });
      await expectNothingKept(service);

      const cancelled = await submit(service, "sleep 3000", { num_images: 4 });
      await until(stored, (states) => states.length > 0);
      await service.call(`/cancel/${cancelled}`, { method: "POST" });
      await expectNothingKept(service);

      const late = await submit(service, "sleep 60000", { num_images: 8 }, { executionTimeout: 11_000 });
      await until(stored, (states) => states.length > 0);
      expect((await ended(service, late)).body.status).toBe("TIMED_OUT");
      await expectNothingKept(service);
    });

    it("keeps no state of a job that is short for the setting", async () => {
      const service = await start(database, { RETOUCH_RESUME_AFTER: "1m" });
      const id = await submit(service, "sleep 500");
      await until(
        () => service.call(`/status/${id}`),
        ({ body }) => body.output?.progress !== undefined && body.output.progress !== "0/10",
      );
      expect(await collect(service.service.data.storage.list("states"))).toEqual([]);
      expect((await ended(service, id)).body.status).toBe("COMPLETED");
    });
  });
});
