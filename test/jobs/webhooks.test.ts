import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import type { Job, JobOutcome } from "../../src/jobs/job.ts";
import { createWebhooks, type Post, type Webhooks, type WebhookSettings } from "../../src/jobs/webhooks.ts";
import { createWebhookUpkeep } from "../../src/jobs/webhook-deliveries.ts";
import { createKeys, type StoredKeys } from "../../src/keys/keys.ts";
import { connectionFailure } from "../../src/net/failures.ts";
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
  let keys: StoredKeys;
  /** How often a job cannot be shown, since the storage is away. */
  let unreadable: number;
  beforeEach(() => {
    [calls, answers, running, log] = [[], [], [], recordedLog()];
    unreadable = 0;
    keys = createKeys(bench.database, bench.context.events);
  });
  afterEach(async () => {
    keys.close();
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
      render: async ({ id, status, endedAt }) => {
        if (unreadable > 0) {
          unreadable -= 1;
          throw new RetouchError("STORAGE_UNAVAILABLE", "The storage is away.");
        }
        return { id, status, ended: endedAt };
      },
      failureOf: connectionFailure,
      log: log.log,
      stopMs: options.stopMs,
    });
    running.push(webhooks);
    webhooks.start();
    return webhooks;
  };
  const ended = async (outcome: JobOutcome = DONE, webhook = ADDRESS, keyId = OWNER): Promise<Job> => {
    const { job, claimed } = await bench.start("worker-a", { webhook, keyId });
    await bench.queue.finish(claimed, "worker-a", outcome);
    return (await bench.jobs.find(job.id, keyId))!;
  };
  const delivery = async (keyId = OWNER) => (await bench.jobs.deliveries(keyId, { offset: 0, limit: 1 }))[0]!;
  const untilDelivery = (status: string, keyId = OWNER) =>
    expect.poll(async () => (await delivery(keyId)).status).toBe(status);
  const untilCalls = (count: number) => expect.poll(() => calls.length).toBe(count);

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
    for (const name of ["x-retouch-signature", "webhook-signature"])
      expect(calls[0]!.headers).not.toHaveProperty(name);
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

  it("are signed over the very bytes that are sent, where the operator has a secret", async () => {
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
      Object.assign(new Error("the address of hooks.example is not public"), { code: "ADDRESS_REFUSED" }),
      { lastError: "The receiver could not be reached: the address of hooks.example is not public." },
    ],
    [
      "a failure that tells too much",
      Object.assign(new TypeError(`Invalid URL ${ADDRESS}`), { code: "ERR_INVALID_URL", input: ADDRESS }),
      { lastError: "The receiver could not be reached: the connection failed (ERR_INVALID_URL)." },
    ],
    [
      "a failure of endless length",
      Object.assign(new Error("x".repeat(10_000)), { code: "ADDRESS_REFUSED" }),
      { lastError: `The receiver could not be reached: ${"x".repeat(300)}.` },
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
    await expect.poll(async () => (await delivery()).lastStatus).toBe(500);
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
    await expect.poll(statuses).toEqual(Array(6).fill("delivered"));
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

  it("stand in the log by the origin of their receiver, which says nothing of its secrets", async () => {
    const error = Object.assign(new TypeError(`Invalid URL ${ADDRESS}`), { input: ADDRESS });
    answers = [500, error, 200];
    start({ settings: { webhookDelayMs: 10 } });
    const { id } = await ended();
    await untilDelivery("delivered");
    const receiver = "https://hooks.example";
    await expect
      .poll(() => log.lines)
      .toMatchObject([
        { level: "warn", jobId: id, receiver, attempt: 1, msg: "The receiver answered with status 500." },
        { level: "warn", jobId: id, receiver, attempt: 2 },
        { level: "info", jobId: id, receiver, attempt: 3, msg: "The webhook was delivered." },
      ]);
    expect(JSON.stringify(log.lines)).not.toMatch(/secret|done|part/);
  });

  it("of megabytes, which earlier versions took, are neither sent nor logged", async () => {
    await ended(DONE, "https://hooks.example/");
    await bench.database.query(
      `update ${bench.schema}.webhook_deliveries set url = 'https://' || repeat('a', 9000000) || '/path'`,
    );
    start({ settings: { webhookTries: 1 } });
    await untilDelivery("failed");
    expect(calls).toEqual([]);
    expect((await delivery()).lastError).toBe("The receiver's address is too long.");
    await expect.poll(() => log.lines).toHaveLength(1);
    expect(JSON.stringify(log.lines).length).toBeLessThan(1000);
  });

  it("of a job that nothing can be made of are given up, and the log says why", async () => {
    const webhooks = createWebhooks({
      context: bench.context,
      settings: { ...SETTINGS, webhookTries: 1 },
      post,
      render: async () => {
        throw new Error("No address.");
      },
      failureOf: connectionFailure,
      log: log.log,
    });
    running.push(webhooks);
    await ended();
    webhooks.start();
    await untilDelivery("failed");
    expect((await delivery()).lastError).toBe("The webhook could not be made.");
    expect(log.lines[0]).toMatchObject({ level: "error", err: { message: "No address." } });
  });

  /** Deliveries that are due, as ended jobs leave them. */
  const due = async (keyId: string, urls: readonly string[]): Promise<void> => {
    const job = await ended(DONE, "https://first.example/", `${keyId}-first`);
    await bench.database.query(`delete from ${bench.schema}.webhook_deliveries where job_id = $1`, [job.id]);
    await bench.database.query(
      `insert into ${bench.schema}.webhook_deliveries (job_id, key_id, url, job)
       select $1, $2, url, $4 from unnest($3::text[]) as given (url)`,
      [job.id, keyId, urls, JSON.stringify({ ...job, keyId })],
    );
  };
  const many = (count: number, name: string): string[] =>
    Array.from({ length: count }, (_, at) => `https://${name}-${at}.example/`);
  const callsTo = (name: string): number => calls.filter(({ address }) => address.includes(name)).length;

  it("of one key leave places for other keys', however many receivers of each hang", async () => {
    const names = ["one", "two", "three"];
    for (const name of names) await due(`key-${name}`, many(100, name));
    start();
    // What the others leave free is divided by two: 128 places for three keys.
    await expect.poll(() => names.map(callsTo)).toEqual([32, 32, 32]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(calls).toHaveLength(96);
    const before = calls.length;
    answers = [200, 200];
    await ended(DONE, "https://other.example/", "key-four");
    await untilDelivery("delivered", "key-four");
    // Another one of the same receivers' key comes later, when one of its own is answered.
    expect(calls).toHaveLength(before + 1);
    answers = [];
    calls[0]!.answer(200);
    await untilCalls(before + 2);
  });

  it("of one key are made while 10,000 of another one are due to a receiver that hangs", async () => {
    await due("key-one", [...Array<string>(10_000).fill("https://hangs.example/"), "https://own.example/"]);
    start();
    await expect.poll(() => [callsTo("hangs"), callsTo("own")]).toEqual([4, 1]);
    answers = [200];
    await ended(DONE, "https://other.example/", "key-two");
    await untilDelivery("delivered", "key-two");
    expect(callsTo("hangs")).toBe(4);
  });

  it("of one key are made to a host at which those of other keys hang", async () => {
    for (const name of ["one", "two"]) {
      await due(
        `key-${name}`,
        [...Array(9).keys()].map((at) => `https://shared.example/${name}/${at}`),
      );
    }
    start();
    await untilCalls(8);
    answers = [200];
    await ended(DONE, "https://shared.example/three", "key-three");
    await untilDelivery("delivered", "key-three");
    expect([callsTo("one"), callsTo("two")]).toEqual([4, 4]);
  });

  describe("whose process slept through its claim", () => {
    /** Starts a try that hangs, and lets its claim end. */
    const sleep = async (settings: Partial<WebhookSettings> = {}): Promise<Call> => {
      const sleeper = start({ settings, site: bench.other, stopMs: 0 });
      await ended();
      await untilCalls(1);
      await sleeper.stop();
      await bench.age(8);
      return calls[0]!;
    };
    const rows = () =>
      bench.database.query(
        `select status, attempts, last_status, last_error, job is null as is_dropped from ${bench.schema}.webhook_deliveries`,
      );

    it.each([
      ["one that failed", 500, 1],
      ["one that is tried again", 500, 3],
      ["one that was taken", 200, 3],
    ])("stay delivered when another process delivered them: %s", async (_, status, webhookTries) => {
      const slept = await sleep({ webhookTries });
      answers = [200];
      start({ settings: { webhookTries: 3 } });
      await untilDelivery("delivered");
      const delivered = await rows();
      slept.answer(status);
      await expect
        .poll(() => log.lines)
        .toContainEqual(
          expect.objectContaining({ attempt: 1, msg: "The try of a webhook took too long to count." }),
        );
      expect(await rows()).toEqual(delivered);
      expect(delivered).toEqual([
        { status: "delivered", attempts: 2, last_status: 200, last_error: null, is_dropped: true },
      ]);
    });

    it("stay failed when another process gave them up, and under way while it tries", async () => {
      const slept = await sleep();
      start({ settings: { webhookTries: 2 } });
      await untilCalls(2);
      slept.answer(500);
      await expect.poll(() => log.lines).toHaveLength(1);
      expect(await rows()).toMatchObject([{ status: "pending", attempts: 2, last_status: null }]);
      calls[1]!.answer(404);
      await untilDelivery("failed");
      expect(await delivery()).toMatchObject({ attempts: 2, lastStatus: 404 });
    });
  });

  it("whose result cannot be read are made later, which costs no try", async () => {
    unreadable = 5;
    answers = [200];
    start({ settings: { webhookTries: 1, webhookDelayMs: 20 } });
    await ended();
    await untilDelivery("delivered");
    expect(calls.map(({ headers }) => headers["x-retouch-attempt"])).toEqual(["1"]);
    expect(await delivery()).toMatchObject({ attempts: 1 });
    expect(await delivery()).not.toHaveProperty("lastError", expect.anything());
  });

  it("whose result cannot be read for a day have failed", async () => {
    unreadable = Infinity;
    await ended();
    await bench.age(24 * 60 * 60);
    start({ settings: { webhookTries: 1, webhookDelayMs: 20 } });
    await untilDelivery("failed");
    expect(await delivery()).toMatchObject({ lastError: "The result of the job could not be read." });
    expect(calls).toEqual([]);
  });

  it("without a job, which an earlier version could leave, are neither tried nor shown", async () => {
    await ended();
    await bench.database.query(`update ${bench.schema}.webhook_deliveries set job = null`);
    start();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(calls).toEqual([]);
    await createWebhookUpkeep(bench.context)();
    expect(await bench.jobs.deliveries(OWNER, { offset: 0, limit: 10 })).toEqual([]);
  });

  describe("of a key with a secret of its own", () => {
    /** What a receiver that has `secret` reads; throws where it was not made with it. */
    const verified = (call: Call, secret: string): unknown =>
      new Webhook(secret).verify(call.body, call.headers);
    const refuses = (call: Call, secret: string): void => {
      expect(() => verified(call, secret)).toThrow("No matching signature found");
    };

    it("are known to the standard's own library, by that secret alone", async () => {
      const { webhookSecret, record } = await keys.create("shop");
      const other = await keys.create("another");
      answers = [200, 200];
      start();
      const job = await ended(DONE, ADDRESS, record.id);
      await untilDelivery("delivered", record.id);
      expect(webhookSecret).toMatch(/^whsec_[A-Za-z0-9+/]{32}$/);
      expect(verified(calls[0]!, webhookSecret)).toMatchObject({ id: job.id, status: "completed" });
      refuses(calls[0]!, other.webhookSecret);
      await ended(DONE, ADDRESS, other.record.id);
      await untilDelivery("delivered", other.record.id);
      verified(calls[1]!, other.webhookSecret);
      refuses(calls[1]!, webhookSecret);
    });

    it("are signed over id and time as well, which nobody can change", async () => {
      const { webhookSecret, record } = await keys.create("shop");
      answers = [200];
      start();
      await ended(DONE, ADDRESS, record.id);
      await untilDelivery("delivered", record.id);
      const { headers, body } = calls[0]!;
      expect(headers["webhook-id"]).toMatch(/^msg_[0-9a-f]{32}$/);
      expect(Math.abs(Number(headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(30);
      const before = String(Number(headers["webhook-timestamp"]) - 1);
      for (const changes of [{ "webhook-id": "msg_other" }, { "webhook-timestamp": before }])
        refuses({ ...calls[0]!, headers: { ...headers, ...changes } }, webhookSecret);
      refuses({ ...calls[0]!, body: Buffer.from(`${String(body)} `) }, webhookSecret);
      const old = { ...headers, "webhook-timestamp": String(Number(before) - 3600) };
      expect(() => verified({ ...calls[0]!, headers: old }, webhookSecret)).toThrow("too old");
    });

    it("have one id in all tries, another one for each job and each end, and the time of the try", async () => {
      const { webhookSecret, record } = await keys.create("shop");
      answers = [500, 500, 200, 200];
      start({ settings: { webhookDelayMs: 1100, webhookBackoff: 1 } });
      const failed = await ended({ status: "failed", error: "image is empty." }, ADDRESS, record.id);
      await untilDelivery("delivered", record.id);
      await bench.jobs.retry(failed.id, record.id);
      const claimed = (await bench.queue.claim("worker-a"))!;
      await bench.queue.finish(claimed, "worker-a", DONE);
      await untilCalls(4);
      for (const call of calls) verified(call, webhookSecret);
      const ids = calls.map(({ headers }) => headers["webhook-id"]);
      expect(new Set(ids.slice(0, 3)).size).toBe(1);
      expect(ids[3]).not.toBe(ids[0]);
      const times = calls.map(({ headers }) => Number(headers["webhook-timestamp"]));
      expect(times[2]! - times[0]!).toBeGreaterThanOrEqual(2);
    });

    it("have the operator's signature beside it, with the same bytes as ever", async () => {
      const { webhookSecret, record } = await keys.create("shop");
      answers = [200];
      start({ settings: { webhookSecret: "a-secret-of-the-tests" } });
      await ended(DONE, ADDRESS, record.id);
      await untilDelivery("delivered", record.id);
      verified(calls[0]!, webhookSecret);
      const { body, headers } = calls[0]!;
      const signature = createHmac("sha256", "a-secret-of-the-tests").update(body).digest("hex");
      expect(headers["x-retouch-signature"]).toBe(`sha256=${signature}`);
    });

    it("are signed with the old and the new one after a rotation, at once, until the old one ends", async () => {
      const { webhookSecret: old, record } = await keys.create("shop");
      answers = Array(4).fill(200);
      start({ site: bench.other });
      const next = async (): Promise<Call> => {
        const before = calls.length;
        await ended(DONE, ADDRESS, record.id);
        await untilCalls(before + 1);
        return calls.at(-1)!;
      };
      const { secret } = (await keys.rotateWebhookSecret(record.id, 3_600_000))!;
      const during = await next();
      expect(during.headers["webhook-signature"]).toMatch(/^v1,\S{44} v1,\S{44}$/);
      verified(during, old);
      verified(during, secret);
      await bench.age(3601);
      const after = await next();
      verified(after, secret);
      refuses(after, old);

      // And at once where the old one is revoked, or is not to be kept.
      const { secret: third } = (await keys.rotateWebhookSecret(record.id, 3_600_000))!;
      expect(await keys.revokeOldWebhookSecrets(record.id)).toBe(1);
      const revoked = await next();
      verified(revoked, third);
      refuses(revoked, secret);
      const { secret: fourth } = (await keys.rotateWebhookSecret(record.id, 0))!;
      const replaced = await next();
      verified(replaced, fourth);
      refuses(replaced, third);
    });

    it("of which a try failed before a rotation, are signed anew in the next one", async () => {
      const { record } = await keys.create("shop");
      answers = [500, 200];
      start({ settings: { webhookDelayMs: 500 } });
      await ended(DONE, ADDRESS, record.id);
      await untilCalls(1);
      const { secret } = (await keys.rotateWebhookSecret(record.id, 0))!;
      await untilCalls(2);
      verified(calls[1]!, secret);
      refuses(calls[0]!, secret);
    });
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
