/** A bucket on a real S3 server, and each way in which it can be wrong. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createAgents, type Agents } from "../../src/net/agents.ts";
import { createS3Storage, type BucketOptions } from "../../src/storage/s3.ts";
import { createKey } from "../../src/storage/storage.ts";
import { binary, bucketOf, collect } from "../support/buckets.ts";
import { refusal } from "../support/refusal.ts";
import { startS3Server, type S3Server } from "../support/s3-server.ts";

const SECRET = "a+secret/that.nobody-may=see";
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
let server: S3Server;

beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server?.close());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

/** Moves this process's clock, and leaves its timers as they are. */
function shiftClock(byMs: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });
}

describe("a bucket", () => {
  it("takes names with every kind of character", async () => {
    const bucket = bucketOf(server);
    const key = "a folder/über-Bild (1)+*=?#%25~🐦.png";
    const bytes = binary();
    await bucket.put(key, bytes, "image/png");
    expect(Buffer.from((await bucket.get(key))!).equals(bytes)).toBe(true);
    expect((await collect(bucket.list("a folder/"))).map((entry) => entry.key)).toEqual([key]);
    await bucket.delete(key);
  });

  it("of an operator lists under its prefix nothing but keys of ours", async () => {
    const bucket = bucketOf(server);
    const [own, other] = [createKey("outputs", "png"), createKey("outputs", "png")];
    await bucket.put(`ours/${own}`, binary(), "image/png");
    await bucket.put("ours/outputs/holiday.png", binary(), "image/png");
    await bucket.put(`others/${other}`, binary(), "image/png");
    const entries = await collect(createS3Storage(bucket, "ours/").list("outputs"));
    expect(entries.map(({ key }) => key)).toEqual([own]);
  });
});

describe("a presigned address", () => {
  const key = "presigned.png";
  const bytes = binary();
  beforeAll(() => bucketOf(server).put(key, bytes, "image/png"));

  it("gives the bytes and their type to whoever has it", async () => {
    const url = await bucketOf(server).presignGet(key, 60);
    expect(new URL(url).pathname).toBe(`/${server.bucket}/${key}`);
    const reply = await fetch(url);
    expect([reply.status, reply.headers.get("content-type")]).toEqual([200, "image/png"]);
    expect(Buffer.from(await reply.arrayBuffer()).equals(bytes)).toBe(true);
    expect(url).not.toContain(encodeURIComponent(server.credentials.secretAccessKey) + "&");
  });

  it("works for 7 days at most, whatever is asked for", async () => {
    const url = new URL(await bucketOf(server).presignGet(key, 30 * 24 * 60 * 60));
    expect(url.searchParams.get("X-Amz-Expires")).toBe("604800");
    expect((await fetch(url)).status).toBe(200);
  });

  it("still works a moment before the end of its 7 days, and has expired after it", async () => {
    shiftClock(-7 * DAY_MS + MINUTE_MS);
    const late = await bucketOf(server).presignGet(key, 604_800);
    vi.useRealTimers();
    shiftClock(-7 * DAY_MS - MINUTE_MS);
    const expired = await bucketOf(server).presignGet(key, 604_800);
    vi.useRealTimers();
    expect((await fetch(late)).status).toBe(200);
    const reply = await fetch(expired);
    expect(reply.status).toBe(403);
    expect(await reply.text()).toContain("<Message>Request has expired</Message>");
  });

  it("is not valid for another object, a longer life, or with another secret", async () => {
    const url = await bucketOf(server).presignGet(key, 60);
    const other = await bucketOf(server, {
      credentials: { ...server.credentials, secretAccessKey: SECRET },
    }).presignGet(key, 60);
    for (const forged of [
      url.replace(key, "other.png"),
      url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
      other,
    ]) {
      const reply = await fetch(forged);
      expect(reply.status).toBe(403);
      expect(await reply.text()).toContain("SignatureDoesNotMatch");
    }
  });
});

describe("what is wrong with a bucket", () => {
  const cases: [string, string, () => Partial<BucketOptions>][] = [
    [
      "a wrong secret",
      "THE_SECRET is not the secret of the access key.",
      () => ({ credentials: { ...server.credentials, secretAccessKey: SECRET } }),
    ],
    [
      "an unknown access key",
      "THE_KEY: the S3 server knows no such access key.",
      () => ({ credentials: { accessKeyId: "AKIANOBODY", secretAccessKey: SECRET } }),
    ],
    ["another bucket", "THE_BUCKET: there is no such bucket.", () => ({ bucket: "no-such-bucket" })],
    [
      "a server that is not there",
      "THE_ENDPOINT: the S3 server refuses the connection.",
      () => ({ endpoint: "http://127.0.0.1:1" }),
    ],
    [
      "a host that does not exist",
      "THE_ENDPOINT: there is no host of this name.",
      () => ({ agents: unresolved(), endpoint: "http://s3.invalid" }),
    ],
    [
      "TLS where there is none",
      "THE_ENDPOINT: the server does not speak TLS at this port; is it http?",
      () => ({ endpoint: server.endpoint.replace("http:", "https:") }),
    ],
    [
      "an access key with a line break",
      "THE_KEY has characters that no access key has.",
      () => ({ credentials: { accessKeyId: "AKIA\nX: y", secretAccessKey: SECRET } }),
    ],
  ];

  it.each(cases)("%s is one sentence, from every operation", async (_, sentence, changes) => {
    const bucket = bucketOf(server, changes());
    const storage = createS3Storage(bucket);
    const key = createKey("outputs", "png");
    for (const operation of [
      () => storage.put(key, binary()),
      () => storage.get(key),
      () => storage.delete(key),
      () => collect(storage.list("outputs")),
      () => storage.check(),
    ]) {
      await expect(operation()).rejects.toEqual(refusal("STORAGE_UNAVAILABLE", sentence));
    }
  });

  it.each([20, -20])(
    "a clock that is %i minutes off is named, and not corrected silently",
    async (minutes) => {
      const bucket = bucketOf(server);
      shiftClock(minutes * MINUTE_MS);
      const sentence =
        "THE_ENDPOINT: the clock of this machine and of the S3 server differ by more than 15 minutes.";
      // More than once: a client that learnt the difference would succeed at the next call.
      for (let time = 0; time < 2; time += 1) {
        await expect(bucket.put("skewed.png", binary(), "image/png")).rejects.toEqual(
          refusal("STORAGE_UNAVAILABLE", sentence),
        );
      }
      await expect(createS3Storage(bucket).check()).rejects.toEqual(refusal("STORAGE_UNAVAILABLE", sentence));
      vi.useRealTimers();
      expect(await bucket.get("skewed.png")).toBeUndefined();
    },
  );

  it("a clock that is 10 minutes off is no matter", async () => {
    shiftClock(10 * MINUTE_MS);
    await bucketOf(server).put("skewed.png", binary(), "image/png");
    await bucketOf(server).delete("skewed.png");
  });

  it("no access key at all is named by its setting", async () => {
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"])
      vi.stubEnv(name, undefined);
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
    vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent");
    const sentence = "THE_KEY is missing, and the AWS SDK finds no access key elsewhere.";
    await expect(bucketOf(server, { credentials: undefined }).get("a.png")).rejects.toEqual(
      refusal("STORAGE_UNAVAILABLE", sentence),
    );
  });

  it("an operator's key may come from where the AWS SDK looks for it", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", server.credentials.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", server.credentials.secretAccessKey);
    await createS3Storage(bucketOf(server, { credentials: undefined })).check();
  });

  it("no message and no JSON of an error has the secret", async () => {
    for (const credentials of [
      { accessKeyId: "AKIANOBODY", secretAccessKey: SECRET },
      { ...server.credentials, secretAccessKey: SECRET },
      { accessKeyId: "AKIA\n", secretAccessKey: SECRET },
    ]) {
      const error = await bucketOf(server, { credentials })
        .put("a.png", binary(), "image/png")
        .catch((thrown: Error) => thrown);
      for (let thrown = error as Error | undefined; thrown; thrown = thrown.cause as Error | undefined) {
        expect(thrown.message + thrown.stack + JSON.stringify(thrown)).not.toContain(SECRET);
      }
    }
  });
});

/** Agents for which no name exists, without asking anyone. */
function unresolved(): Agents {
  return createAgents({ isAllowed: () => true }, () =>
    Promise.reject(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" })),
  );
}
