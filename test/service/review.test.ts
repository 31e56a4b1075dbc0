/** Results that wait for an operator, over HTTP: nobody else sees them, and a client's wait goes on meanwhile. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresMissing } from "../support/databases.ts";
import {
  type Answer,
  call,
  type CallInit,
  type DatabaseName,
  startTestService,
  type TestService,
  until,
} from "../support/service.ts";
import { documentOf, undocumented } from "../support/document.ts";
import { startS3Server } from "../support/s3-server.ts";
import { keysOf } from "../worker/samples.ts";

const HELD = "score 0.875";
const REFUSED =
  "The safety checker refused the result: it looks pornographic (score 0.875, refused from 0.7).";

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("a flagged result on %s", (database) => {
  describe.skipIf(database === "PostgreSQL" && postgresMissing !== undefined)(
    postgresMissing ?? "answers",
    () => {
      let server: TestService;
      let operatorKey: string;
      let hooks: ReturnType<typeof createServer>;
      const received: { id: string; status: string }[] = [];
      beforeAll(async () => {
        server = await startTestService({ database, settings: { RETOUCH_SAFETY_FLAGGED: "hold" } });
        operatorKey = (await server.service.keys.create("night shift", { isOperator: true })).key;
        hooks = createServer((request, response) => {
          let body = "";
          request.on("data", (part: Buffer) => (body += part.toString()));
          request.on("end", () => {
            received.push(JSON.parse(body) as (typeof received)[number]);
            response.end();
          });
        });
        await new Promise<void>((resolve) => hooks.listen(0, "127.0.0.1", resolve));
      });
      afterAll(async () => {
        hooks.close();
        await server.close();
      });

      const inputOf = (prompt: string, more: object = {}): object => ({
        prompt,
        image: `${server.address}/examples/bluebird.png`,
        size: "256*256",
        num_inference_steps: 2,
        ...more,
      });
      /** As an operator, with everything as documented. */
      async function operate(to: string, init: CallInit = {}): Promise<Answer> {
        const answer = await call(`${server.address}/operator${to}`, { key: operatorKey, ...init });
        const { status, headers, body } = answer;
        const problems = undocumented(documentOf(server.service.app), {
          method: init.method ?? (init.body === undefined ? "GET" : "POST"),
          url: `/operator${to}`,
          status,
          contentType: headers.get("content-type") ?? "",
          body: JSON.stringify(body),
        });
        expect(problems).toEqual([]);
        return answer;
      }
      const statusOf = async (id: string): Promise<Answer["body"]> =>
        (await server.call(`/status/${id}`)).body;
      async function hold(more: object = {}, prompt = HELD): Promise<string> {
        const webhook = `http://127.0.0.1:${(hooks.address() as AddressInfo).port}/`;
        const { body } = await server.call("/run", { body: { input: inputOf(prompt, more), webhook } });
        await until(
          () => operate("/reviews"),
          ({ body: { reviews } }) => reviews.some(({ jobId }: { jobId: string }) => jobId === body.id),
        );
        return body.id as string;
      }

      it("is in progress to its client, however long it waits, and released by an approval", async () => {
        const sync = await server.call("/runsync?wait=1000", { body: { input: inputOf(HELD) } });
        expect(sync.body).toMatchObject({ status: "IN_PROGRESS", output: { progress: "2/2" } });
        const id = sync.body.id as string;
        const waiting = server.call(`/status-sync/${id}`);
        expect(await operate(`/reviews/${id}/approve`, { body: { reason: "A statue." } })).toMatchObject({
          status: 200,
          body: { jobId: id, verdict: "approved" },
        });
        const { body } = await waiting;
        expect(body).toMatchObject({ status: "COMPLETED", output: { safety_score: 0.875 } });
        expect((await fetch(body.output.image_url)).status).toBe(200);
        expect(body.executionTime).toBeLessThan(60_000);
        const { entries } = (await operate(`/review-log?job=${id}`)).body;
        expect(entries).toMatchObject([
          {
            event: "approved",
            actor: { name: "night shift" },
            reason: "A statue.",
            safety: { threshold: 0.7 },
          },
          { event: "held", actor: { name: "safety checker" } },
        ]);
      });

      it("fails its job as a refusal does once it is rejected, with one webhook after the decision", async () => {
        const id = await hold();
        const [key] = (await keysOf(server.service.data.storage, "outputs")).slice(-1);
        expect(key).toBeDefined();
        expect(received.filter((one) => one.id === id)).toEqual([]);
        expect((await operate(`/reviews/${id}/reject`, { method: "POST" })).status).toBe(200);
        expect(await statusOf(id)).toMatchObject({ status: "FAILED", error: REFUSED });
        expect(await statusOf(id)).not.toHaveProperty("output");
        await until(
          async () => received.filter((one) => one.id === id),
          (own) => own.length === 1,
        );
        expect(received.at(-1)).toMatchObject({ id, status: "FAILED", error: REFUSED });
        expect(await operate(`/reviews/${id}/approve`, { body: {} })).toMatchObject({
          status: 409,
          body: {
            error: expect.stringMatching(/^The review of this job is over: rejected at .* by night shift\.$/),
          },
        });
      });

      it("is shown to operators alone, and kept by nobody on the way", async () => {
        const id = await hold();
        const address = `${server.address}/operator/reviews/${id}/pictures/0`;
        const picture = await fetch(address, { headers: { authorization: `Bearer ${operatorKey}` } });
        expect(picture.status).toBe(200);
        expect(picture.headers.get("content-type")).toBe("image/png");
        expect(picture.headers.get("cache-control")).toBe("no-store");
        expect((await picture.arrayBuffer()).byteLength).toBeGreaterThan(50);
        expect((await operate(`/reviews/${id}/pictures/1`)).status).toBe(404);
        for (const to of ["/keys", "/queue", "/workers", "/disk", "/reviews", "/review-log", `/jobs/${id}`]) {
          expect((await operate(to, { key: null })).status).toBe(401);
          expect(await operate(to, { key: server.key })).toMatchObject({
            status: 403,
            body: { error: expect.stringContaining("operator's key") },
          });
        }
        expect((await fetch(address, { headers: { authorization: `Bearer ${server.key}` } })).status).toBe(
          403,
        );
        expect((await operate(`/reviews/${id}/approve`, { key: server.key, method: "POST" })).status).toBe(
          403,
        );
        expect(await statusOf(id)).toMatchObject({ status: "IN_PROGRESS" });
        const body = JSON.stringify(
          (await server.call("/requests")).body.requests.find((job: { id: string }) => job.id === id),
        );
        expect(body).not.toMatch(/files|MobileNet|0\.875/);
      });

      it("is deleted where its client cancels, and decided on no more", async () => {
        const before = await keysOf(server.service.data.storage, "outputs");
        const id = await hold();
        expect((await server.call(`/cancel/${id}`, { method: "POST" })).body.status).toBe("CANCELLED");
        await until(
          () => keysOf(server.service.data.storage, "outputs"),
          (left) => left.length <= before.length,
        );
        expect((await operate(`/reviews/${id}/approve`, { body: {} })).status).toBe(409);
        expect((await operate("/reviews/unknown/approve", { body: {} })).status).toBe(404);
        expect(await operate(`/reviews/${id}/approve`, { body: { reason: 7 } })).toMatchObject({
          status: 400,
          body: { error: "reason must be a text of at most 1000 characters." },
        });
      });

      it("holds all results of its edit, embedded ones too", async () => {
        const id = await hold({ num_images: 2, enable_base64_output: true }, "score 0.1,0.8");
        const { reviews } = (await operate("/reviews")).body;
        const own = reviews.find(({ jobId }: { jobId: string }) => jobId === id);
        expect(own).toMatchObject({ safety: { scores: [0.1, 0.8] }, keyName: "test", pictures: [{}, {}] });
        await operate(`/reviews/${id}/approve`, { body: {} });
        const { output } = await statusOf(id);
        expect(output.images).toHaveLength(2);
        expect(output.image_url).toMatch(/^data:image\/png;base64,/);
      });

      it("is flagged by the threshold of its key, which only the operator sets", async () => {
        const { key, record } = await server.service.keys.create("lenient", { safetyThreshold: 0.95 });
        const edit = async (): Promise<Answer> =>
          server.call("/runsync", { key, body: { input: inputOf("score 0.9", { safety_threshold: 1 }) } });
        expect((await edit()).body.status).toBe("COMPLETED");
        await server.service.keys.update(record.id, { safetyThreshold: 0.5 });
        const { body } = await server.call("/runsync?wait=1000", {
          key,
          body: { input: inputOf("score 0.6") },
        });
        expect(body.status).toBe("IN_PROGRESS");
        const { keys } = (await operate("/keys")).body;
        expect(keys.find(({ id }: { id: string }) => id === record.id)).toMatchObject({
          name: "lenient",
          safetyThreshold: 0.5,
          completed: 1,
          lastUsedAt: expect.stringMatching(/^20/),
        });
        const { body: course } = await operate(`/jobs/${body.id}`);
        expect(course).toMatchObject({ status: "IN_PROGRESS", isHeld: true, safety: { scores: [0.6] } });
        expect(course.course.map(({ event }: { event: string }) => event)).toEqual([
          "queued",
          "started",
          "held",
        ]);
      });

      it("keeps the scores of results that pass, for operators", async () => {
        const { body } = await server.call("/runsync", { body: { input: inputOf("score 0.25") } });
        expect(body.status).toBe("COMPLETED");
        const { body: found } = await operate(`/jobs/${body.id}`);
        expect(found).toMatchObject({
          status: "COMPLETED",
          safety: { checker: { name: "stub" }, threshold: 0.7, scores: [0.25] },
        });
      });

      it("goes into its client's own bucket once it is approved, and is drawn no second time", async () => {
        const bucket = await startS3Server();
        try {
          const { storage } = server.service.data;
          const before = await keysOf(storage, "outputs");
          const s3Config = {
            accessId: bucket.credentials.accessKeyId,
            accessSecret: bucket.credentials.secretAccessKey,
            bucketName: bucket.bucket,
            endpointUrl: bucket.endpoint,
          };
          const submit = async (more: object): Promise<string> => {
            const body = { input: inputOf(HELD), s3Config: { ...s3Config, ...more } };
            const { id } = (await server.call("/run", { body })).body;
            await until(
              () => operate(`/jobs/${id}`),
              ({ body: { isHeld } }) => isHeld === true,
            );
            return id as string;
          };
          const ended = (id: string): Promise<Answer["body"]> =>
            until(
              () => statusOf(id),
              ({ status }) => ["COMPLETED", "FAILED"].includes(status as string),
            );
          const id = await submit({});
          await operate(`/reviews/${id}/approve`, { body: {} });
          const done = await ended(id);
          expect(done.status).toBe("COMPLETED");
          expect(done.output.image_url).toContain(`${bucket.endpoint}/${bucket.bucket}/`);
          const delivered = await fetch(done.output.image_url as string);
          expect([delivered.status, delivered.headers.get("content-type")]).toEqual([200, "image/png"]);
          const { course } = (await operate(`/jobs/${id}`)).body;
          expect(course.map(({ event }: { event: string }) => event)).toEqual([
            "queued",
            "started",
            "held",
            "approved",
            "started",
            "completed",
          ]);
          // What its bucket does not take any more is said as always.
          const gone = await submit({ bucketName: "no-such-bucket" });
          await operate(`/reviews/${gone}/approve`, { body: {} });
          expect(await ended(gone)).toMatchObject({
            status: "FAILED",
            error: expect.stringMatching(/^s3Config/),
          });
          const rejected = await submit({});
          await operate(`/reviews/${rejected}/reject`, { body: {} });
          expect(await statusOf(rejected)).toMatchObject({ status: "FAILED", error: REFUSED });
          await until(
            () => keysOf(storage, "outputs"),
            (left) => left.every((key) => before.includes(key)),
          );
        } finally {
          await bucket.close();
        }
      });

      it("leaves operators the rest of the house to see", async () => {
        const queue = (await operate("/queue")).body.keys;
        expect(queue.every(({ endpoint }: { endpoint: string }) => endpoint !== "")).toBe(true);
        const { workers } = (await operate("/workers")).body;
        expect(workers).toMatchObject([
          {
            status: "idle",
            endpoints: [{ device: "cpu (float32)", model: "stub", stepMs: expect.any(Number) }],
          },
        ]);
        const disk = (await operate("/disk")).body;
        expect(disk).toMatchObject({ databaseBytes: expect.any(Number) });
        expect(disk.databaseBytes).toBeGreaterThan(100_000);
        expect(disk.disk.freeBytes).toBeLessThanOrEqual(disk.disk.totalBytes);
        expect(disk.kinds.map(({ kind }: { kind: string }) => kind)).toContain("outputs");
        expect((await operate("/jobs/unknown")).status).toBe(404);
      });
    },
  );
});
