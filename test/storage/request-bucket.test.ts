/** A request's `s3Config`, on a real S3 server. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { createAgents, type Agents } from "../../src/net/agents.ts";
import { type BucketTarget, checkBucketTarget } from "../../src/storage/bucket-target.ts";
import { putAllInBucket, putInBucket } from "../../src/storage/request-bucket.ts";
import { binary, bucketOf } from "../support/buckets.ts";
import { refusal } from "../support/refusal.ts";
import { serve } from "../worker/samples.ts";
import { startS3Server, type S3Server } from "../support/s3-server.ts";

const SECRET = "a+secret/that.nobody-may=see";
const bytes = binary();
let server: S3Server;
let agents: Agents;

beforeAll(async () => {
  server = await startS3Server();
  agents = createAgents(createAddressPolicy(["127.0.0.1"]));
});
afterAll(() => server?.close());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const targetOf = (changes: Partial<BucketTarget> = {}): BucketTarget => ({
  accessId: server.credentials.accessKeyId,
  accessSecret: server.credentials.secretAccessKey,
  bucketName: server.bucket,
  endpointUrl: server.endpoint,
  ...changes,
});

describe("a request's own bucket", () => {
  it("gets the picture, whose address works for 7 days without any key", async () => {
    const url = await putInBucket(targetOf(), bytes, "png", { agents, pausesMs: [] });
    const { pathname, searchParams } = new URL(url);
    expect(pathname).toMatch(new RegExp(`^/${server.bucket}/[A-Za-z0-9_-]{32}\\.png$`));
    expect(searchParams.get("X-Amz-Expires")).toBe("604800");
    const reply = await fetch(url);
    expect([reply.status, reply.headers.get("content-type")]).toEqual([200, "image/png"]);
    expect(Buffer.from(await reply.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it.each([
    ["renders/today.jpg", /^renders\/today\.jpg$/],
    ["/renders/today.PNG", /^renders\/today\.PNG$/],
    ["renders/today", /^renders\/today\/[A-Za-z0-9_-]{32}\.jpeg$/],
    ["renders/v1.2/", /^renders\/v1\.2\/[A-Za-z0-9_-]{32}\.jpeg$/],
    ["Bilder für Ä (1)", /^Bilder für Ä \(1\)\/[A-Za-z0-9_-]{32}\.jpeg$/],
    ["", /^[A-Za-z0-9_-]{32}\.jpeg$/],
    ["/", /^[A-Za-z0-9_-]{32}\.jpeg$/],
  ])("stores at the objectPath %j", async (objectPath, name) => {
    const url = await putInBucket(targetOf({ objectPath }), bytes, "jpeg", { agents, pausesMs: [] });
    const stored = decodeURIComponent(new URL(url).pathname.slice(`/${server.bucket}/`.length));
    expect(stored).toMatch(name);
    expect(Buffer.from((await bucketOf(server).get(stored))!).equals(bytes)).toBe(true);
    const reply = await fetch(url);
    expect([reply.status, reply.headers.get("content-type")]).toEqual([200, "image/jpeg"]);
  });

  it("gets several pictures, with numbers in a name that is given", async () => {
    const pictures = [1, 2, 3].map((byte) => Uint8Array.of(byte));
    const options = { agents, pausesMs: [] };
    const urls = await putAllInBucket(targetOf({ objectPath: "all/a.png" }), pictures, "png", options);
    expect(urls.map((url) => new URL(url).pathname)).toEqual(
      [1, 2, 3].map((number) => `/${server.bucket}/all/a-${number}.png`),
    );
    for (const [index, url] of urls.entries()) {
      expect([...new Uint8Array(await (await fetch(url)).arrayBuffer())]).toEqual([index + 1]);
    }
    const named = await putAllInBucket(targetOf({ objectPath: "all" }), pictures, "png", options);
    expect(new Set(named.map((url) => new URL(url).pathname)).size).toBe(3);
  });

  it.each([
    ["maps/a.jpg", 1, ["maps/a.jpg", "maps/a-mask.png"]],
    ["maps/a.jpg", 2, ["maps/a-1.jpg", "maps/a-2.jpg", "maps/a-1-mask.png", "maps/a-2-mask.png"]],
  ])("gets maps beside their pictures: %s, %d", async (objectPath, count, names) => {
    const [pictures, maps] = [
      [1, 2].slice(0, count).map((byte) => Uint8Array.of(byte)),
      [3, 4].slice(0, count).map((byte) => Uint8Array.of(byte)),
    ];
    const options = { agents, pausesMs: [], maps };
    const urls = await putAllInBucket(targetOf({ objectPath }), pictures, "jpeg", options);
    expect(urls.map((url) => new URL(url).pathname)).toEqual(
      names.map((name) => `/${server.bucket}/${name}`),
    );
    for (const [index, url] of urls.entries()) {
      const reply = await fetch(url);
      const isMap = index >= count;
      expect(reply.headers.get("content-type")).toBe(isMap ? "image/png" : "image/jpeg");
      expect([...new Uint8Array(await reply.arrayBuffer())]).toEqual([...[...pictures, ...maps][index]!]);
    }
  });

  it("gives a map the random name of its picture", async () => {
    const options = { agents, pausesMs: [], maps: [Uint8Array.of(2)] };
    const urls = await putAllInBucket(targetOf({ objectPath: "maps" }), [Uint8Array.of(1)], "webp", options);
    const [picture, map] = urls.map((url) => new URL(url).pathname);
    expect(map).toBe(picture!.replace(/\.webp$/, "-mask.png"));
  });

  it("keeps none of several pictures if the job is cancelled between them", async () => {
    const controller = new AbortController();
    const pictures = [1, 2, 3].map((byte) => Uint8Array.of(byte));
    let reads = 0;
    Object.defineProperty(pictures, "1", {
      get() {
        reads += 1;
        controller.abort();
        return Uint8Array.of(2);
      },
    });
    const putting = putAllInBucket(targetOf({ objectPath: "none/a.png" }), pictures, "png", {
      agents,
      signal: controller.signal,
    });
    await expect(putting).rejects.toThrow();
    expect(reads).toBe(1);
    for (const number of [1, 2, 3]) {
      expect(await bucketOf(server).get(`none/a-${number}.png`)).toBeUndefined();
    }
  });

  it.each([
    ["s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com", "eu-west-1"],
    ["pictures.s3.us-gov-east-1.amazonaws.com", "s3.us-gov-east-1.amazonaws.com", "us-gov-east-1"],
    ["pictures.s3-eu-central-1.example.com", "s3-eu-central-1.example.com", "eu-central-1"],
    ["s3.us-west-004.backblazeb2.com", "s3.us-west-004.backblazeb2.com", "us-west-004"],
    ["s3.fr-par.scw.cloud", "s3.fr-par.scw.cloud", "fr-par"],
    ["s3.my-company.example", "s3.my-company.example", "us-east-1"],
    ["pictures.example", "pictures.example", "us-east-1"],
  ])("is found at %s", async (given, host, region) => {
    const { port } = new URL(server.endpoint);
    const local = createAgents(createAddressPolicy(["127.0.0.1"]), async () => [
      { address: "127.0.0.1", family: 4 },
    ]);
    const endpointUrl = `http://${given}:${port}`;
    const url = new URL(
      await putInBucket(targetOf({ endpointUrl }), bytes, "png", { agents: local, pausesMs: [] }),
    );
    expect([url.host, url.pathname.split("/")[1]]).toEqual([`${host}:${port}`, server.bucket]);
    expect(url.searchParams.get("X-Amz-Credential")).toContain(`/${region}/s3/`);
  });

  it("is asked with the request's key alone, never with one of this machine", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", server.credentials.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", server.credentials.secretAccessKey);
    const sentence = "s3Config.accessId: the S3 server knows no such access key.";
    await expect(
      putInBucket(targetOf({ accessId: "AKIANOBODY" }), bytes, "png", { agents, pausesMs: [] }),
    ).rejects.toEqual(refusal("BUCKET_UNAVAILABLE", sentence));
  });

  it.each<[string, () => Partial<BucketTarget>, string]>([
    [
      "a wrong secret",
      () => ({ accessSecret: SECRET }),
      "s3Config.accessSecret is not the secret of the access key.",
    ],
    [
      "a bucket that does not exist",
      () => ({ bucketName: "no-such-bucket" }),
      "s3Config.bucketName: there is no such bucket.",
    ],
    [
      "an endpoint where nobody listens",
      () => ({ endpointUrl: "http://127.0.0.1:1" }),
      "s3Config.endpointUrl: the S3 server refuses the connection.",
    ],
    [
      "an address inside the network",
      () => ({ endpointUrl: "http://[::ffff:10.0.0.1]:9000" }),
      "s3Config.endpointUrl is not a public address.",
    ],
    [
      "the address of the machine's own credentials",
      () => ({ endpointUrl: "http://169.254.169.254" }),
      "s3Config.endpointUrl is not a public address.",
    ],
  ])("with %s is one sentence that names the field", async (_, changes, sentence) => {
    await expect(putInBucket(targetOf(changes()), bytes, "png", { agents, pausesMs: [] })).rejects.toEqual(
      refusal("BUCKET_UNAVAILABLE", sentence),
    );
  });

  it("is tried again where what went wrong may pass, and not where it cannot", async () => {
    let answers: [number, string][] = [];
    let calls = 0;
    const endpointUrl = await serve((call, answer) => {
      calls += 1;
      const [status, code] = answers.shift() ?? [200, ""];
      call
        .resume()
        .on("end", () =>
          answer.writeHead(status).end(code === "" ? "" : `<Error><Code>${code}</Code></Error>`),
        );
    });
    const put = () => putInBucket(targetOf({ endpointUrl }), bytes, "png", { agents, pausesMs: [1, 1] });
    // The S3 client itself asks three times.
    answers = Array.from({ length: 6 }, () => [503, "SlowDown"]);
    expect(await put()).toContain(endpointUrl);
    expect(calls).toBe(7);
    calls = 0;
    answers = Array.from({ length: 20 }, () => [500, "InternalError"]);
    await expect(put()).rejects.toEqual(
      refusal("BUCKET_UNAVAILABLE", "s3Config.endpointUrl: the S3 server answered with status 500."),
    );
    expect(calls).toBe(9);
    calls = 0;
    answers = [[403, "AccessDenied"]];
    await expect(put()).rejects.toEqual(
      refusal("BUCKET_UNAVAILABLE", "s3Config.accessId: access to the bucket is denied."),
    );
    expect(calls).toBe(1);
  });

  it("is not tried again once its job is stopped", async () => {
    const controller = new AbortController();
    let calls = 0;
    const endpointUrl = await serve((_, answer) => {
      calls += 1;
      answer.destroy();
      controller.abort();
    });
    const options = { agents, signal: controller.signal, pausesMs: [60_000] };
    await expect(putInBucket(targetOf({ endpointUrl }), bytes, "png", options)).rejects.toEqual(
      refusal("BUCKET_UNAVAILABLE", /^s3Config\.endpointUrl: /),
    );
    expect(calls).toBe(3);
  });

  it("reports a clock that is 20 minutes off, and gives out no address that would not work", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 20 * 60_000 });
    await expect(putInBucket(targetOf(), bytes, "png", { agents, pausesMs: [] })).rejects.toEqual(
      refusal(
        "BUCKET_UNAVAILABLE",
        "s3Config.endpointUrl: the clock of this machine and of the S3 server differ by more than 15 minutes.",
      ),
    );
  });

  it("leaves neither the key nor its secret in what is thrown, whatever goes wrong", async () => {
    const accessId = "AKIATHEIRKEY";
    for (const changes of [
      { accessId, accessSecret: SECRET },
      { accessSecret: SECRET },
      { accessSecret: SECRET, bucketName: "a/b" },
      { accessSecret: SECRET, endpointUrl: `http://${accessId}:${SECRET}@127.0.0.1` },
      { accessSecret: SECRET, endpointUrl: "http://127.0.0.1:1" },
      { accessId: `${accessId}\n`, accessSecret: SECRET },
    ]) {
      const thrown = await putInBucket(targetOf(changes), bytes, "png", { agents, pausesMs: [] }).then(
        () => expect.fail("it was stored"),
        (error: Error) => error,
      );
      expect(thrown.cause).toBeUndefined();
      const text = thrown.message + thrown.stack + JSON.stringify(thrown);
      for (const secret of [SECRET, encodeURIComponent(SECRET), accessId]) expect(text).not.toContain(secret);
    }
  });
});

describe("checkBucketTarget", () => {
  const target: BucketTarget = {
    accessId: "AKIA",
    accessSecret: "secret",
    bucketName: "pictures",
    endpointUrl: "https://s3.example.com/base",
    objectPath: "a/b c/ü.png",
  };

  it("accepts what can be one", () => {
    expect(() => checkBucketTarget(target)).not.toThrow();
    expect(() => checkBucketTarget({ ...target, objectPath: "a..b/.hidden/..." })).not.toThrow();
  });

  it.each(["ASIAIOSFODNN7EXAMPLE", "ASIA0000000000000000EXTRA", "STS.NUgYrLnoC37mZZCNnAbez"])(
    "refuses the temporary key %s, with which the URL would end",
    (accessId) => {
      expect(() => checkBucketTarget({ ...target, accessId })).toThrow(
        "s3Config.accessId: temporary access keys cannot be used; give a long-term key, which the URL of the result needs for 7 days.",
      );
    },
  );

  // Ids are case-sensitive, and most servers let their users choose them.
  it.each(["AKIAIOSFODNN7EXAMPLE", "asiaiosfodnn7example", "ASIA", "ASIA-BACKUPS-2026", "STSUSER", "minio"])(
    "takes %s for a long-term key",
    (accessId) => {
      expect(() => checkBucketTarget({ ...target, accessId })).not.toThrow();
    },
  );

  it.each([" ASIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE "])("refuses %j for its blanks", (accessId) => {
    expect(() => checkBucketTarget({ ...target, accessId })).toThrow(
      /^s3Config\.accessId must .*without spaces\.$/,
    );
  });

  it.each<[keyof BucketTarget, string[]]>([
    ["accessId", ["", "two words", "line\nbreak", "ключ", "a".repeat(201)]],
    ["accessSecret", [""]],
    ["bucketName", ["", "a", "a/b", "../other", "a?b", "a#b", "a b", "arn:aws:s3:::a", "-a", "büro"]],
    [
      "endpointUrl",
      [
        "",
        "s3.example.com",
        "file:///etc/passwd",
        "ftp://a.example",
        "https://u:p@a.example",
        "https://a.example/?x",
        "https://a.example/#x",
      ],
    ],
    [
      "objectPath",
      ["..", "a/../b", "../a.png", "a/./b", "a/..", "a\nb", "a\0.png", "\ud800", "ü".repeat(451)],
    ],
  ])("names %s, and does not repeat it", (field, values) => {
    for (const value of values) {
      expect(() => checkBucketTarget({ ...target, [field]: value }), JSON.stringify(value)).toThrow(
        expect.objectContaining({
          code: "INVALID_PARAMETER",
          message: expect.stringMatching(new RegExp(`^s3Config\\.${field} must [^\\n]+\\.$`)),
        }),
      );
    }
  });
});
