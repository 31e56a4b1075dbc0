import { createHmac } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Job, JobOutcome } from "../../src/jobs/job.ts";
import { createWebhooks, type Post, type Webhooks, type WebhookSettings } from "../../src/jobs/webhooks.ts";
import { describeOnDatabases, newJob, resultOf, type Site } from "../support/jobs.ts";
import { recordedLog } from "../worker/samples.ts";

const OWNER = "key-one";
const ADDRESS = "https://hooks.example/done?secret=a%20b&x=/y,%C3%BC#part";
const SETTINGS: WebhookSettings = {
  webhookTries: 3,
  webhookDelayMs: 100,
  webhookBackoff: 2,
  webhookTimeoutMs: 2000,
};
const DONE: JobOutcome = { status: "completed", result: resultOf() };

interface Call {
  address: string;
  body: Buffer;
  headers: Record<string, string>;
  timeoutMs: number;
  at: number;
  /** Ends a call that hangs. */
  answer: (status: number) => void;
}

describeOnDatabases("webhooks", (bench) => {
  let calls: Call[];
  /** Each call's answer in turn: a status, or what is thrown; a call hangs where there is none left. */
  let answers: (number | Error)[];
  let running: Webhooks[];
  let log: ReturnType<typeof recordedLog>;
  beforeEach(() => {
    [calls, answers, running, log] = [[], [], [], recordedLog()];
  });
  afterEach(async () => {
    for (const { answer } of calls) answer(200);
    for (const webhooks of running) await webhooks.stop();
  });

  const post: Post = (address, body, { headers, timeoutMs }) =>
    new Promise((resolve, reject) => {
      const answer = (status: number): void => resolve({ status });
      calls.push({ address, body: Buffer.from(body), headers, timeoutMs, at: performance.now(), answer });
      const next = answers.shift();
      if (typeof next === "number") answer(next);
      else if (next) reject(next);
    });
  const start = (
    options: { settings?: Partial<WebhookSettings>; site?: Site; stopMs?: number } = {},
  ): Webhooks => {
    const webhooks = createWebhooks({
      context: (options.site ?? bench).context,
      settings: { ...SETTINGS, ...options.settings },
      post,
      render: ({ id, status, endedAt }) => ({ id, status, ended: endedAt }),
      log: log.log,
      stopMs: options.stopMs,
    });
    running.push(webhooks);
    webhooks.start();
    return webhooks;
  };
  const ended = async (outcome: JobOutcome = DONE, webhook = ADDRESS): Promise<Job> => {
    const { job, claimed } = await bench.start("worker-a", { webhook });
    await bench.queue.finish(claimed, "worker-a", outcome);
    return (await bench.jobs.find(job.id, OWNER))!;
  };
  const delivery = async () => (await bench.jobs.deliveries(OWNER, { offset: 0, limit: 1 }))[0]!;
  const untilDelivery = (status: string) =>
    expect.poll(async () => (await delivery()).status, { timeout: 10_000 }).toBe(status);
  const untilCalls = (count: number) => expect.poll(() => calls.length, { timeout: 10_000 }).toBe(count);

  it("post a job as its owner sees it, to the very address that was given, when another process ended it", async () => {
    answers = [204];
    start({ site: bench.other });
    const job = await ended();
    await untilDelivery("delivered");
    expect(calls).toMatchObject([
      {
        address: ADDRESS,
        headers: {
          "content-type": "application/json",
          "user-agent": expect.stringMatching(/^Retouch\/\d/),
          "x-retouch-attempt": "1",
        },
        timeoutMs: 2000,
      },
    ]);
    expect(calls[0]!.headers).not.toHaveProperty("x-retouch-signature");
    expect(JSON.parse(String(calls[0]!.body))).toEqual({
      id: job.id,
      status: "completed",
      ended: job.endedAt!.toISOString(),
    });
    expect(await delivery()).toMatchObject({
      jobId: job.id,
      attempts: 1,
      lastStatus: 204,
      lastAttemptAt: expect.any(Date),
    });
    expect(await delivery()).not.toMatchObject({ lastError: expect.anything() });
  });

  it("are signed over the very bytes that are sent, where there is a secret", async () => {
    answers = [200];
    start({ settings: { webhookSecret: "a-secret-of-the-tests" } });
    await ended();
    await untilDelivery("delivered");
    const { body, headers } = calls[0]!;
    const signature = createHmac("sha256", "a-secret-of-the-tests").update(body).digest("hex");
    expect(headers["x-retouch-signature"]).toBe(`sha256=${signature}`);
  });

  it.each([
    ["failed", () => ended({ status: "failed", error: "image is empty." })],
    ["timedOut", () => ended({ status: "timedOut", error: "The job ran for too long." })],
    [
      "cancelled",
      async () => {
        const { job } = await bench.jobs.submit(newJob({ webhook: ADDRESS }));
        return (await bench.jobs.cancel(job.id, OWNER))!;
      },
    ],
  ])("tell of a job that is %s", async (status, end) => {
    answers = [200];
    start();
    const { id } = await end();
    await untilDelivery("delivered");
    expect(JSON.parse(String(calls[0]!.body))).toMatchObject({ id, status });
  });

  it("are tried again after a delay that grows, until one is taken", async () => {
    answers = [500, Object.assign(new Error("connect"), { code: "ECONNREFUSED" }), 200];
    start();
    await ended();
    await untilDelivery("delivered");
    expect(calls.map(({ headers }) => headers["x-retouch-attempt"])).toEqual(["1", "2", "3"]);
    expect(calls.every(({ body }) => body.equals(calls[0]!.body))).toBe(true);
    expect(calls[1]!.at - calls[0]!.at).toBeGreaterThan(95);
    expect(calls[2]!.at - calls[1]!.at).toBeGreaterThan(195);
    expect(await delivery()).toMatchObject({ attempts: 3, lastStatus: 200 });
  });

  it.each([
    [
      "a status that is none of success",
      302,
      { lastStatus: 302, lastError: "The receiver answered with status 302." },
    ],
    [
      "no answer in time",
      Object.assign(new Error("aborted"), { name: "TimeoutError" }),
      { lastError: "The receiver could not be reached: it did not answer within 2 s." },
    ],
    [
      "an address that is not public",
      Object.assign(new Error("10.0.0.1"), { code: "ADDRESS_REFUSED" }),
      { lastError: "The receiver could not be reached: its address is not public." },
    ],
  ])("are given up after the last try, with the reason: %s", async (_, answer, reason) => {
    answers = [answer, answer];
    start({ settings: { webhookTries: 2, webhookDelayMs: 10 } });
    await ended();
    await untilDelivery("failed");
    expect(await delivery()).toMatchObject({ attempts: 2, ...reason });
    await bench.age(3600);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(calls).toHaveLength(2);
  });

  it("wait for a day at most, however often their delay was multiplied", async () => {
    await ended();
    const row = `${bench.schema}.webhook_deliveries`;
    await bench.database.query(`update ${row} set attempts = 18`);
    answers = [500];
    start({ settings: { webhookTries: 20, webhookDelayMs: 3_600_000, webhookBackoff: 10 } });
    await expect.poll(async () => (await delivery()).lastStatus, { timeout: 10_000 }).toBe(500);
    const [due] = await bench.database.query<{ hours: number }>(
      `select extract(epoch from next_attempt_at - clock_timestamp())::float8 / 3600 as hours from ${row}`,
    );
    expect(due!.hours).toBeGreaterThan(23.9);
    expect(due!.hours).toBeLessThan(24.1);
  });

  it("are made by whoever starts next, where the job ended while nobody ran", async () => {
    const { id } = await ended();
    answers = [200];
    start();
    await untilDelivery("delivered");
    expect(JSON.parse(String(calls[0]!.body))).toMatchObject({ id });
  });

  it("are tried again where a crash cut a try short, once its time is surely over", async () => {
    const first = start({ stopMs: 0 });
    await ended();
    await untilCalls(1);
    await first.stop();
    await bench.age(3);
    start({ site: bench.other });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(calls).toHaveLength(1);
    await bench.age(5);
    answers = [200];
    await untilDelivery("delivered");
    expect(calls.map(({ headers }) => headers["x-retouch-attempt"])).toEqual(["1", "2"]);
  });

  it("are made once, however many processes look", async () => {
    for (let count = 0; count < 6; count += 1) await ended(DONE, `https://hooks-${count}.example/`);
    answers = Array(12).fill(200);
    for (const site of [bench, bench.other, bench]) start({ site });
    const statuses = async (): Promise<unknown[]> =>
      (await bench.jobs.deliveries(OWNER, { offset: 0, limit: 10 })).map(({ status }) => status);
    await expect.poll(statuses, { timeout: 10_000 }).toEqual(Array(6).fill("delivered"));
    expect(calls).toHaveLength(6);
  });

  it("are under way to one receiver four at a time, and keep no other one waiting", async () => {
    for (const path of ["", "/1", "/2", "?3", "#4"]) await ended(DONE, `https://HANGS.example${path}`);
    for (const path of ["/5", "/6"]) await ended(DONE, `https://hangs.example${path}`);
    await ended(DONE, "https://other.example/");
    start();
    const hanging = (): Call[] => calls.filter(({ address }) => !address.includes("other"));
    await untilCalls(5);
    expect(hanging()).toHaveLength(4);
    hanging()[0]!.answer(200);
    await untilCalls(6);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(hanging()).toHaveLength(5);
  });

  it("are made to an address that is spelled oddly, whatever else hangs", async () => {
    start();
    for (let count = 0; count < 4; count += 1) await ended(DONE, "https://hangs.example/");
    await untilCalls(4);
    await ended(DONE, "https:hooks.example/a");
    await untilCalls(5);
    expect(calls[4]!.address).toBe("https:hooks.example/a");
  });

  it("leave nothing of the job behind once there is no more try", async () => {
    answers = [200];
    start();
    await ended();
    await untilDelivery("delivered");
    expect(await bench.database.query(`select job from ${bench.schema}.webhook_deliveries`)).toEqual([
      { job: null },
    ]);
  });

  it("stand in the log by the address without its query", async () => {
    answers = [500, 200];
    start({ settings: { webhookDelayMs: 10 } });
    const { id } = await ended();
    await untilDelivery("delivered");
    const url = "https://hooks.example/done";
    await expect
      .poll(() => log.lines)
      .toMatchObject([
        { level: "warn", jobId: id, url, attempt: 1, msg: "The receiver answered with status 500." },
        { level: "info", jobId: id, url, attempt: 2, msg: "The webhook was delivered." },
      ]);
    expect(JSON.stringify(log.lines)).not.toContain("secret");
  });

  it("end with those that are under way, and not with a receiver that hangs", async () => {
    const webhooks = start({ stopMs: 50 });
    await ended();
    await untilCalls(1);
    const stopping = webhooks.stop();
    calls[0]!.answer(200);
    await stopping;
    expect((await delivery()).status).toBe("delivered");

    const hanging = start({ stopMs: 50 });
    await ended();
    await untilCalls(2);
    await hanging.stop();
    expect((await delivery()).status).toBe("pending");
  });
});
