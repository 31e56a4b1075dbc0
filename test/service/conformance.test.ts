/** The wire's conformance cases, by their numbers, with an engine that does as the prompt says. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { quoted } from "../../src/database/migrations.ts";
import { postgresMissing } from "../support/databases.ts";
import {
  type Answer,
  call,
  type DatabaseName,
  ENDPOINT,
  KEY,
  startTestService,
  type TestService,
  until,
} from "../support/service.ts";

const PICTURE =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const ENDED = new Set(["COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"]);
const COUNTERS = {
  jobs: ["completed", "failed", "inProgress", "inQueue", "retried"],
  workers: ["idle", "initializing", "ready", "running", "throttled", "unhealthy"],
};

const edit = (prompt: string, input: object = {}): { input: object } => ({
  input: { prompt, image: PICTURE, size: "256*256", num_inference_steps: 4, ...input },
});
const hasEnded = ({ body }: Answer): boolean => ENDED.has(body.status);

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("the endpoint on %s", (database) => {
  describe.skipIf(database === "PostgreSQL" && postgresMissing !== undefined)(
    postgresMissing ?? "answers",
    () => {
      let server: TestService;
      beforeAll(async () => {
        server = await startTestService({
          database,
          settings: {
            RETOUCH_WEBHOOK_DELAY: "300ms",
            RETOUCH_WEBHOOK_TIMEOUT: "60s",
            RETOUCH_RATE_WINDOW: "3s",
            RETOUCH_PURGE_RATE: "4",
          },
        });
      });
      afterAll(() => server.close());
      /** Nothing of one case reaches into the next. */
      beforeEach(async () => {
        await until(
          async () => {
            const { body } = await server.call("/requests?limit=100");
            for (const { id, status } of body.requests ?? []) {
              if (!ENDED.has(status)) await server.call(`/cancel/${id}`, { method: "POST" });
            }
            return server.call("/health");
          },
          ({ body }) => body.jobs?.inQueue === 0 && body.jobs?.inProgress === 0 && body.workers?.idle === 1,
        );
      });

      const run = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
        server.call("/run", { body, headers });
      const runsync = (body: unknown, query = ""): Promise<Answer> =>
        server.call(`/runsync${query}`, { body });
      const status = (id: string): Promise<Answer> => server.call(`/status/${id}`);
      const ended = (id: string): Promise<Answer> => until(() => status(id), hasEnded);
      const started = async (prompt: string, more: object = {}): Promise<string> => {
        const { body } = await run({ ...edit(prompt), ...more });
        await until(
          () => status(body.id),
          (answer) => answer.body.status === "IN_PROGRESS",
        );
        return body.id;
      };
      const post = (path: string): Promise<Answer> => server.call(path, { method: "POST", body: {} });
      /** Lets time pass for one job. */
      const age = (id: string, seconds: number): Promise<unknown> =>
        server.service.data.database.query(
          `update ${quoted(server.service.data.database.schema)}.jobs
            set submitted_at = submitted_at - $2 * interval '1 second', ended_at = ended_at - $2 * interval '1 second',
                expires_at = expires_at - $2 * interval '1 second' where id = $1`,
          [id, seconds],
        );

      it("1: takes a valid key in every form for /health with its 11 counters, and no other", async () => {
        for (const authorization of [`Bearer ${KEY}`, `bearer ${KEY}`, KEY]) {
          const { status, body } = await server.call("/health", { key: null, headers: { authorization } });
          expect(status).toBe(200);
          for (const [group, names] of Object.entries(COUNTERS)) {
            expect(Object.keys(body[group]).toSorted()).toEqual(names);
            expect(Object.values(body[group]).every(Number.isInteger)).toBe(true);
          }
        }
        for (const authorization of [
          undefined,
          "",
          "Bearer",
          "Bearer wrong-key-of-sixteen",
          `Basic ${KEY}`,
        ]) {
          const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
          expect(await server.call("/health", { key: null, headers })).toMatchObject({
            status: 401,
            body: { error: "unauthorized" },
          });
        }
      });

      it("2: knows one endpoint", async () => {
        const before = (await server.call("/requests")).body.total;
        const answer = await call(`${server.address}/v2/another-endpoint/run`, { body: edit("x") });
        expect(answer).toMatchObject({ status: 404, body: { error: "endpoint not found" } });
        expect((await server.call("/requests")).body.total).toBe(before);
      });

      it("3: answers /run at once with id and state and nothing else", async () => {
        const { status: code, body } = await run({ input: { prompt: "sleep 20000", image: PICTURE } });
        expect(code).toBe(200);
        // It waits for nothing that the job does.
        expect((await status(body.id)).body.status).toMatch(/^IN_(QUEUE|PROGRESS)$/);
        expect(body).toEqual({ id: expect.stringMatching(/^[A-Za-z0-9_-]+$/), status: "IN_QUEUE" });
      });

      it("4: knows a job as soon as /run has answered", async () => {
        const { body } = await run(edit("sleep 200"));
        expect((await status(body.id)).status).toBe(200);
      });

      it("5: answers /runsync with the result of a fast job", async () => {
        const { status: code, body } = await runsync(edit("x"));
        expect(code).toBe(200);
        expect(body).toMatchObject({
          id: expect.stringMatching(/^sync-/),
          status: "COMPLETED",
          workerId: expect.stringMatching(/^[a-z0-9]{14}$/),
          output: {
            image_url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/files\//),
            cost: expect.any(Number),
          },
        });
        expect(Number.isInteger(body.delayTime) && Number.isInteger(body.executionTime)).toBe(true);
      });

      it("6: answers /runsync after its wait, and the job goes on", async () => {
        const begun = performance.now();
        const { status: code, body } = await runsync(edit("sleep 1500"), "?wait=1000");
        expect(performance.now() - begun).toBeGreaterThan(950);
        expect(code).toBe(200);
        expect(["IN_QUEUE", "IN_PROGRESS"]).toContain(body.status);
        expect(body.output === undefined || typeof body.output === "object").toBe(true);
        expect((await ended(body.id)).body.status).toBe("COMPLETED");
      });

      it.each(["10", "999999", "abc", "-5", "1e9"])(
        "7: takes wait=%s into range or for nothing",
        async (wait) => {
          expect(await runsync(edit("x"), `?wait=${wait}`)).toMatchObject({
            status: 200,
            body: { status: "COMPLETED" },
          });
        },
      );

      it("8: has no null in any state", async () => {
        const withoutNull = (answer: Answer): void =>
          expect(JSON.stringify(answer.body)).not.toContain("null");
        const id = await started("sleep 5000");
        withoutNull(await status(id));
        const { body: queued } = await run(edit("x"));
        withoutNull(await status(queued.id));
        withoutNull(await post(`/cancel/${queued.id}`));
        withoutNull(await post(`/cancel/${id}`));
        withoutNull(await runsync(edit("x")));
        withoutNull(await runsync(edit("fail so")));
        withoutNull(await server.call("/requests"));
      });

      it("9: answers GET and POST of /status alike", async () => {
        const { body } = await runsync(edit("x"));
        const get = await status(body.id);
        expect(
          await server.call(`/status/${body.id}`, {
            method: "POST",
            headers: { "content-type": "application/json" },
          }),
        ).toMatchObject({ status: 200, body: get.body });
        expect(get.body).toEqual(body);
      });

      it("10: holds /status-sync, and a hundred of them cost nothing", async () => {
        const id = await started("sleep 20000");
        const begun = performance.now();
        let ends = 0;
        const held = Array.from({ length: 100 }, async () => {
          const answer = await server.call(`/status-sync/${id}?wait=4000`);
          ends += 1;
          return answer;
        });
        expect((await server.call("/health")).status).toBe(200);
        expect(ends).toBe(0);
        for (const answer of await Promise.all(held)) expect(answer.body.status).toBe("IN_PROGRESS");
        expect(performance.now() - begun).toBeGreaterThan(3900);
      });

      it.each([
        ["{}", "{}", { "content-type": "application/json" }],
        ["an empty body with a JSON type", "", { "content-type": "application/json" }],
        ["nothing", undefined, {}],
      ] as const)("11: cancels with %s", async (_, body, headers) => {
        const { body: job } = await run(edit("sleep 5000"));
        const answer = await server.call(`/cancel/${job.id}`, { method: "POST", body, headers });
        expect(answer).toMatchObject({ status: 200, body: { id: job.id, status: "CANCELLED" } });
      });

      it("12: never starts a cancelled job, and stops a running one for the next", async () => {
        const running = await started("sleep 20000");
        const { body: queued } = await run(edit("x"));
        await post(`/cancel/${queued.id}`);
        expect((await post(`/cancel/${running}`)).body).toMatchObject({ status: "CANCELLED" });
        const { body: next } = await runsync(edit("x"));
        expect(next.status).toBe("COMPLETED");
        expect((await status(queued.id)).body).toEqual({ id: queued.id, status: "CANCELLED" });
        expect((await status(running)).body.status).toBe("CANCELLED");
      });

      it("13: leaves a completed job as it is", async () => {
        const { body } = await runsync(edit("x"));
        expect(await post(`/cancel/${body.id}`)).toMatchObject({ status: 200, body });
      });

      it("14: retries a failed job under its id", async () => {
        const { body } = await runsync(edit("fail for once"));
        expect(body).toMatchObject({ status: "FAILED", error: "for once" });
        await started("sleep 400");
        expect(await post(`/retry/${body.id}`)).toMatchObject({
          status: 200,
          body: { id: body.id, status: "IN_QUEUE" },
        });
        const now = (await status(body.id)).body;
        expect(now).not.toHaveProperty("error");
        expect(now).not.toHaveProperty("output");
        expect((await ended(body.id)).body).toMatchObject({
          status: "FAILED",
          error: "for once",
          retries: 1,
        });
      });

      it("15: retries nothing else", async () => {
        const { body: done } = await runsync(edit("x"));
        const running = await started("sleep 5000");
        const { body: queued } = await run(edit("x"));
        for (const id of [done.id, running, queued.id]) {
          expect(await post(`/retry/${id}`)).toMatchObject({
            status: 409,
            body: { error: expect.any(String) },
          });
        }
        await post(`/cancel/${queued.id}`);
        expect((await post(`/retry/${queued.id}`)).status).toBe(409);
        const { body: failed } = await runsync(edit("fail"));
        await age(failed.id, 61);
        for (const id of ["unknown", failed.id]) {
          expect(await post(`/retry/${id}`)).toMatchObject({ status: 404, body: { error: "job not found" } });
        }
      });

      it("16: purges what is queued, and ends what waits for it", async () => {
        const running = await started("sleep 1500");
        const held = runsync(edit("x"));
        const queued = await Promise.all([run(edit("x")), run(edit("x"))]);
        await until(
          () => server.call("/health"),
          ({ body }) => body.jobs.inQueue === 3,
        );
        expect((await post("/purge-queue")).body).toEqual({ removed: 3, status: "completed" });
        expect((await held).body.status).toBe("CANCELLED");
        for (const { body } of queued) expect((await status(body.id)).body.status).toBe("CANCELLED");
        expect((await ended(running)).body.status).toBe("COMPLETED");
      });

      it("17: forgets results after a minute, or half an hour", async () => {
        const { body: sync } = await runsync(edit("x"));
        await age(sync.id, 59);
        expect((await status(sync.id)).status).toBe(200);
        await age(sync.id, 2);
        expect(await status(sync.id)).toMatchObject({ status: 404, body: { error: "job not found" } });
        const { body: async } = await run(edit("x"));
        await ended(async.id);
        await age(async.id, 29 * 60);
        expect((await status(async.id)).status).toBe(200);
        await age(async.id, 2 * 60);
        expect(await status(async.id)).toMatchObject({ status: 404, body: { error: "job not found" } });
      });

      it("18: ends a job whose ttl passes, queued or running", async () => {
        const policy = { ttl: 10_000 };
        const running = await started("sleep 20000", { policy });
        const held = server.call(`/status-sync/${running}?wait=10000`);
        const { body: queued } = await run({ ...edit("x"), policy });
        await age(running, 10);
        await age(queued.id, 10);
        for (const id of [running, queued.id]) {
          expect(await status(id)).toMatchObject({ status: 404, body: { error: "job not found" } });
        }
        expect((await held).body).toMatchObject({
          status: "TIMED_OUT",
          error: expect.stringContaining("ttl"),
        });
        expect((await runsync(edit("x"))).body.status).toBe("COMPLETED");
      });

      it("19, 20: ends a job that runs for longer than its limit, at least 5 s, and counts no waiting", async () => {
        const blocking = await started("sleep 1500");
        const { body: waiting } = await run({ ...edit("sleep 4000"), policy: { executionTimeout: 3000 } });
        const { body: long } = await run({ ...edit("sleep 20000"), policy: { executionTimeout: 3000 } });
        expect((await ended(blocking)).body.status).toBe("COMPLETED");
        expect((await ended(waiting.id)).body.status).toBe("COMPLETED");
        const { body } = await ended(long.id);
        expect(body).toMatchObject({ status: "TIMED_OUT", error: expect.stringContaining("5 s") });
        expect(body.executionTime).toBeGreaterThanOrEqual(5000);
        expect((await runsync(edit("x"))).body.status).toBe("COMPLETED");
      }, 30_000);

      it("21: runs what is of low priority last", async () => {
        const blocking = await started("sleep 500");
        const { body: low } = await run({ ...edit("x"), policy: { lowPriority: true } });
        const { body: normal } = await run(edit("x"));
        await ended(blocking);
        await ended(low.id);
        const startOf = async (id: string): Promise<number> => {
          const { requests } = (await server.call("/requests")).body;
          return Date.parse(requests.find((job: { id: string }) => job.id === id).startedAt);
        };
        expect(await startOf(normal.id)).toBeLessThan(await startOf(low.id));
      });

      it("22: keeps a result for a shorter time where asked", async () => {
        const { body } = await runsync(edit("x"));
        expect((await server.call(`/status/${body.id}?ttl=3000`)).status).toBe(200);
        expect((await status(body.id)).status).toBe(200);
        await until(
          () => status(body.id),
          (answer) => answer.status === 404,
          { patienceMs: 30_000 },
        );
      });

      it("23: streams every piece once, until nothing is left", async () => {
        const { body: job } = await run(edit("sleep 800", { num_inference_steps: 8 }));
        const pieces: Answer["body"][] = [];
        for (;;) {
          const begun = performance.now();
          const { body } = await server.call(`/stream/${job.id}`);
          expect(performance.now() - begun).toBeLessThan(10_000);
          pieces.push(...body.stream);
          if (ENDED.has(body.status) && body.stream.length === 0) break;
        }
        const progress = pieces.slice(0, -1).map(({ output }) => output.progress);
        expect(progress.length).toBeGreaterThan(2);
        expect(new Set(progress).size).toBe(progress.length);
        expect(pieces.at(-1).output.image_url).toMatch(/^http/);
      });

      describe("with a webhook", () => {
        let receiver: Server;
        let url: string;
        let calls: { path: string; body: unknown; at: number; headers: IncomingMessage["headers"] }[];
        let answers: number[];
        beforeAll(async () => {
          receiver = createServer((request, response) => {
            const chunks: Buffer[] = [];
            request.on("data", (chunk: Buffer) => chunks.push(chunk));
            request.on("end", () => {
              const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
              calls.push({ path: request.url!, body, at: performance.now(), headers: request.headers });
              const answer = answers.shift() ?? 200;
              if (answer > 0) response.writeHead(answer).end();
            });
          }).listen(0, "127.0.0.1");
          await new Promise((resolve) => receiver.once("listening", resolve));
          url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook?secret=a%20b&x=/y`;
        });
        afterAll(() => {
          receiver.closeAllConnections();
          receiver.close();
        });
        beforeEach(() => {
          calls = [];
          answers = [];
        });

        it("24: posts the finished job until it is taken, three times at most", async () => {
          answers = [500, 500, 200];
          const { body } = await run({ ...edit("x"), webhook: url });
          const { body: job } = await ended(body.id);
          await until(
            async () => calls,
            ({ length }) => length === 3,
          );
          for (const { path, body: posted } of calls) {
            expect(path).toBe("/hook?secret=a%20b&x=/y");
            expect(posted).toEqual(job);
          }
          for (const index of [1, 2]) expect(calls[index]!.at - calls[index - 1]!.at).toBeGreaterThan(290);
          expect(calls.map(({ headers }) => headers["x-retouch-attempt"])).toEqual(["1", "2", "3"]);
          await run({ ...edit("x"), webhook: url });
          await until(
            async () => calls,
            ({ length }) => length === 4,
          );
          await new Promise((resolve) => setTimeout(resolve, 700));
          expect(calls).toHaveLength(4);
        });

        it("25: waits for no receiver that hangs", async () => {
          answers = [0, 0, 0];
          await runsync({ ...edit("x"), webhook: url });
          await until(
            async () => calls,
            ({ length }) => length === 1,
          );
          const begun = performance.now();
          const { body } = await runsync({ ...edit("x"), webhook: url.replace("hook", "other") });
          expect(body.status).toBe("COMPLETED");
          answers = [200];
          await until(
            async () => calls,
            (made) => made.some(({ path }) => path.startsWith("/other")),
          );
          // Nor does it wait until the receiver's time is over.
          expect(performance.now() - begun).toBeLessThan(50_000);
        });
      });

      it.each([
        ["prompt", { prompt: undefined }],
        ["prompt", { prompt: " " }],
        ["image", { image: undefined }],
        ["image", { image: "/etc/passwd" }],
        ["image", { image: "ftp://example.com/a.png" }],
        ["size", { size: "big" }],
        ["size", { size: "255*256" }],
        ["size", { size: "4096*4096" }],
        ["num_inference_steps", { num_inference_steps: 0 }],
        ["num_inference_steps", { num_inference_steps: 51 }],
        ["num_inference_steps", { num_inference_steps: "28" }],
        ["guidance", { guidance: 11 }],
        ["seed", { seed: -2 }],
        ["output_format", { output_format: "gif" }],
        ["num_images", { num_images: 9 }],
      ])("26: refuses a wrong %s, %o, on both routes", async (field, input) => {
        for (const [route, id] of [
          ["/run", /^[^s]/],
          ["/runsync", /^sync-/],
        ] as const) {
          expect(await server.call(route, { body: edit("x", input) })).toMatchObject({
            status: 400,
            body: { id: expect.stringMatching(id), status: "FAILED", error: expect.stringContaining(field) },
          });
        }
      });

      it("27: fails the job where the picture's address gives none", async () => {
        const pages = createServer((request, response) => {
          if (request.url === "/404.png") response.writeHead(404).end();
          else response.end("<!doctype html><title>hello</title>");
        }).listen(0, "127.0.0.1");
        await new Promise((resolve) => pages.once("listening", resolve));
        const base = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
        const failure = { status: "FAILED", error: expect.stringMatching(/^image/) };
        expect(await runsync(edit("x", { image: `${base}/404.png` }))).toMatchObject({
          status: 200,
          body: failure,
        });
        const { body } = await run(edit("x", { image: `${base}/page.html` }));
        expect((await ended(body.id)).body).toMatchObject(failure);
        pages.close();
      });

      it("29: ignores what clients add", async () => {
        const input = { maxPollAttempts: 3, pollIntervalMillis: 1, enable_sync_mode: true, foo: null };
        expect(await runsync({ ...edit("x", input), timeout: 3 })).toMatchObject({
          status: 200,
          body: { status: "COMPLETED" },
        });
      });

      it("33: gives the picture to whoever has its address, until that expires", async () => {
        const { body } = await runsync(edit("x"));
        const url: string = body.output.image_url;
        for (const method of ["GET", "HEAD"]) {
          const response = await fetch(url, { method });
          expect(response.status).toBe(200);
          expect(response.headers.get("content-type")).toBe("image/png");
          expect(response.headers.get("access-control-allow-origin")).toBe("*");
        }
        const expired = new URL(url);
        expired.searchParams.set("expires", "1000000000");
        for (const address of [
          expired.href,
          url.replace(/signature=(.)/, (_, first) => `signature=${first === "_" ? "-" : "_"}`),
          url.replace(/\?.*/, ""),
        ]) {
          expect((await fetch(address)).status).toBe(404);
        }
      });

      it("34: takes 10 MiB on /run and 20 MiB on /runsync, and not a byte more", async () => {
        const sized = (bytes: number): string => {
          const body = JSON.stringify({ ...edit("x"), padding: "" });
          return body.replace(`"padding":""`, `"padding":"${"a".repeat(bytes - body.length)}"`);
        };
        const MIB = 2 ** 20;
        expect((await run(sized(10 * MIB))).status).toBe(200);
        expect(await run(sized(10 * MIB + 1))).toMatchObject({
          status: 413,
          body: { error: expect.any(String) },
        });
        expect((await runsync(sized(10 * MIB + 1))).body.status).toBe("COMPLETED");
        expect(await runsync(sized(20 * MIB + 1))).toMatchObject({
          status: 413,
          body: { error: expect.any(String) },
        });
      });

      it.each([
        "{",
        "[]",
        "{}",
        "null",
        "3",
        '"x"',
        "",
        '{"input":null}',
        '{"input":[]}',
        '{"input":{},"input":{}}',
      ])("35: refuses the body %s", async (body) => {
        for (const route of ["/run", "/runsync"]) {
          expect(
            await server.call(route, {
              method: "POST",
              body,
              headers: { "content-type": "application/json" },
            }),
          ).toMatchObject({ status: 400, body: { error: expect.any(String) } });
        }
      });

      it("36: limits /purge-queue", async () => {
        await new Promise((resolve) => setTimeout(resolve, 3100));
        const answers = await Promise.all(Array.from({ length: 6 }, () => post("/purge-queue")));
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
        const refused = answers.find(({ status }) => status === 429)!;
        expect(refused.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
        expect(refused.body.error).toEqual(expect.any(String));
      });

      it("37: takes repeated slashes for one", async () => {
        const answer = await call(`${server.address}/v2//${ENDPOINT}//runsync/`, { body: edit("x") });
        expect(answer).toMatchObject({ status: 200, body: { status: "COMPLETED" } });
      });

      it("39: finishes a job whose caller went away", async () => {
        const controller = new AbortController();
        const pending = server.call("/runsync", { body: edit("sleep 600"), signal: controller.signal });
        const id = await until(
          async () =>
            (await server.call("/requests")).body.requests.find(
              (job: { status: string }) => job.status === "IN_PROGRESS",
            )?.id as string,
          (found) => found !== undefined,
        );
        controller.abort();
        await expect(pending).rejects.toThrow();
        expect((await ended(id)).body.status).toBe("COMPLETED");
      });

      it("42: keeps the jobs of different keys apart", async () => {
        const { key: other } = await server.service.keys.create("other");
        const { body: failed } = await runsync(edit("fail"));
        const running = await started("sleep 5000");
        for (const [path, method] of [
          [`/status/${running}`, "GET"],
          [`/status-sync/${running}`, "GET"],
          [`/stream/${running}`, "GET"],
          [`/cancel/${running}`, "POST"],
          [`/retry/${failed.id}`, "POST"],
        ] as const) {
          expect(await server.call(path, { method, key: other })).toMatchObject({
            status: 404,
            body: { error: "job not found" },
          });
        }
        expect((await server.call("/requests", { key: other })).body).toMatchObject({
          requests: [],
          total: 0,
        });
        expect((await server.call("/purge-queue", { method: "POST", key: other })).body.removed).toBe(0);
        expect((await status(running)).body.status).toBe("IN_PROGRESS");
      });
    },
  );
});
