import { describe, expect, expectTypeOf, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import type { Config } from "../../src/config/settings.ts";
import { refusal } from "../support/refusal.ts";

const refused = (message: string | RegExp): unknown => refusal("CONFIG_INVALID", message);

describe("the settings", () => {
  it("have the documented defaults", () => {
    const MiB = 1_048_576;
    expect(readConfig({})).toEqual({
      host: "127.0.0.1",
      port: 8000,
      endpointId: "black-forest-labs-flux-1-kontext-dev",
      dataDir: "data",
      databaseSchema: "retouch",
      s3Region: "us-east-1",
      modelTurnMs: 60_000,
      weights: "auto",
      threads: 0,
      device: "auto",
      encodingCache: 64 * MiB,
      batch: "auto",
      workers: 1,
      safety: "optional",
      flagged: "refuse",
      reviewTimeoutMs: 259_200_000,
      metadataPrompt: false,
      metadataReceipt: true,
      history: false,
      price: { amount: 0.03, per: "megapixel" },
      isPriceSet: false,
      allowPrivateHosts: [],
      imageMaxBytes: 20 * MiB,
      imageMaxPixels: 64_000_000,
      imageTimeoutMs: 30_000,
      minSide: 256,
      maxSide: 1536,
      maxAttempts: 2,
      leaseMs: 8000,
      leaseRenewalMs: 2000,
      resumeAfterMs: 60_000,
      idempotencyLifetimeMs: 86_400_000,
      logLevel: "info",
      shutdownDeadlineMs: 30_000,
      drainDelayMs: 5000,
      // Routes: payload caps, calls in 10 s, calls at the same time.
      bodyBudgetBytes: 96 * MiB,
      bodyBudgetPerKeyBytes: 80 * MiB,
      leastBytesPerSecond: 10_240,
      maxConnections: 2000,
      rateWindowMs: 10_000,
      runMaxBytes: 10 * MiB,
      runRate: 1000,
      runConcurrency: 200,
      runsyncMaxBytes: 20 * MiB,
      runsyncRate: 2000,
      runsyncConcurrency: 400,
      statusRate: 2000,
      statusConcurrency: 400,
      cancelRate: 100,
      cancelConcurrency: 20,
      purgeRate: 2,
      requestsRate: 10,
      requestsConcurrency: 2,
      wrongKeyRate: 100,
      ratePerWorker: 50,
      maxQueued: 50,
      maxQueuedPerWorker: 500,
      maxQueuedTotal: 100_000,
      keyQuotaBytes: 50 * 2 ** 30,
      minFreeDiskBytes: 2 ** 30,
      retryRate: 100,
      readRate: 1000,
      // Times of jobs, results and held calls.
      ttlMs: 86_400_000,
      retentionMs: 1_800_000,
      syncRetentionMs: 60_000,
      fileLifetimeMs: 604_800_000,
      keepOriginals: true,
      syncWaitMs: 90_000,
      streamWaitMs: 5000,
      webhookTries: 3,
      webhookDelayMs: 10_000,
      webhookBackoff: 1,
      webhookTimeoutMs: 10_000,
    });
  });

  it("take what the environment says", () => {
    const config = readConfig({
      RETOUCH_PORT: "0",
      RETOUCH_PUBLIC_URL: "https://edit.example.com/retouch/",
      RETOUCH_PRICE: "0.025/image",
      RETOUCH_SAFETY: "required",
      RETOUCH_SAFETY_THRESHOLD: "0.75",
      RETOUCH_METADATA_PROMPT: "true",
      RETOUCH_ALLOW_PRIVATE_HOSTS: " nas.local, 10.0.0.0/8,,[::1]:9000 ",
      DATABASE_URL: "postgresql://me:secret@db/retouch",
      PATH: "/bin",
    });
    expect(config).toMatchObject({
      port: 0,
      publicUrl: "https://edit.example.com/retouch",
      price: { amount: 0.025, per: "image" },
      safety: "required",
      safetyThreshold: 0.75,
      metadataPrompt: true,
      allowPrivateHosts: ["nas.local", "10.0.0.0/8", "[::1]:9000"],
      databaseUrl: "postgresql://me:secret@db/retouch",
    });
  });

  it("take an empty variable for one that is not set, of whatever name", () => {
    expect(readConfig({ RETOUCH_PORT: "", DATABASE_URL: "", RETOUCH_WHATEVER: "" })).toEqual(readConfig({}));
  });

  it("have a type for each value", () => {
    expectTypeOf<Config["port"]>().toEqualTypeOf<number>();
    expectTypeOf<Config["safety"]>().toEqualTypeOf<"optional" | "required" | "off">();
    expectTypeOf<Config["apiKey"]>().toEqualTypeOf<string | undefined>();
    expectTypeOf<Config["safetyThreshold"]>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Config["allowPrivateHosts"]>().toEqualTypeOf<readonly string[]>();
  });

  it("cannot be changed, however deep", () => {
    const config = readConfig({ RETOUCH_ALLOW_PRIVATE_HOSTS: "nas.local" });
    expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError);
    expect(() => Object.assign(config.price, { amount: 0 })).toThrow(TypeError);
    expect(() => (config.allowPrivateHosts as string[]).push("other.local")).toThrow(TypeError);
  });
});

describe("a wrong setting", () => {
  it.each([
    ["RETOUCH_PORT", "65536", 'RETOUCH_PORT must be a whole number from 0 to 65535, not "65536".'],
    [
      "RETOUCH_PORT",
      "tcp://10.0.0.1:8000",
      'RETOUCH_PORT must be a whole number from 0 to 65535, not "tcp://10.0.0.1:8000".',
    ],
    ["RETOUCH_HOST", "my host", 'RETOUCH_HOST must be a host name or an IP address, not "my host".'],
    ["RETOUCH_SAFETY", "on", 'RETOUCH_SAFETY must be optional, required or off, not "on".'],
    [
      "RETOUCH_METADATA_PROMPT",
      "constructor",
      'RETOUCH_METADATA_PROMPT must be true or false, not "constructor".',
    ],
    [
      "RETOUCH_TTL",
      "9s",
      'RETOUCH_TTL must be a time from 10s to 7d, such as 250ms, 90s, 10m, 24h or 7d, not "9s".',
    ],
    [
      "RETOUCH_RUN_MAX_BYTES",
      "2GB",
      'RETOUCH_RUN_MAX_BYTES must be a size from 1KB to 1GB, such as 512KB or 10MB, not "2GB".',
    ],
    [
      "RETOUCH_PRICE",
      "0.03",
      'RETOUCH_PRICE must be 0, or an amount per image or megapixel, such as 0.025/image or 0.03/megapixel, not "0.03".',
    ],
    [
      "RETOUCH_PUBLIC_URL",
      "edit.example.com",
      'RETOUCH_PUBLIC_URL must be an http or https address such as https://edit.example.com, not "edit.example.com".',
    ],
    [
      "RETOUCH_ENDPOINT_ID",
      "a/b",
      'RETOUCH_ENDPOINT_ID must be 1 to 100 letters, digits, - and _, not "a/b".',
    ],
    ["RETOUCH_DATA_DIR", "a\nb", String.raw`RETOUCH_DATA_DIR must be text on one line, not "a\nb".`],
  ])("is refused by its name, its value and what is accepted: %s %j", (variable, value, sentence) => {
    expect(() => readConfig({ [variable]: value })).toThrow(refused(sentence));
  });

  it.each([
    ["RETOUCH_API_KEY", "only-15-letters", "16 to 200 characters without spaces"],
    ["RETOUCH_API_KEY", "with a blank in the middle", "16 to 200 characters without spaces"],
    ["RETOUCH_WEBHOOK_SECRET", "hunter2", "16 to 200 characters"],
    [
      "DATABASE_URL",
      "mysql://me:hunter2@db/retouch",
      "an address such as postgres://user:password@host:5432/name",
    ],
  ])("is refused without its value where that is a secret: %s %j", (variable, value, accepted) => {
    expect(() => readConfig({ [variable]: value })).toThrow(refused(`${variable} must be ${accepted}.`));
  });

  it("is refused without the password of an address", () => {
    expect(() => readConfig({ RETOUCH_PUBLIC_URL: "https://me:hunter2@edit.example.com" })).toThrow(
      refused(/not "https:\/\/\*\*\*@edit\.example\.com"\.$/),
    );
  });

  it("is shown in part where it is long", () => {
    expect(() => readConfig({ RETOUCH_PORT: "1".repeat(5000) })).toThrow(refused(/not "1{100}\.\.\."\.$/));
  });

  it("does not hide another one: each has its sentence", () => {
    expect(() =>
      readConfig({ RETOUCH_PORT: "x", RETOUCH_API_KEY: "short", RETOUCH_PRT: "1", RETOUCH_THREADS: "-1" }),
    ).toThrow(
      refused(
        [
          'RETOUCH_PORT must be a whole number from 0 to 65535, not "x".',
          "RETOUCH_API_KEY must be 16 to 200 characters without spaces.",
          'RETOUCH_THREADS must be a whole number from 0 to 1024, not "-1".',
          "RETOUCH_PRT is not a setting; did you mean RETOUCH_PORT?",
        ].join("\n"),
      ),
    );
  });

  it("is one that nobody knows, with the nearest name or none", () => {
    expect(() => readConfig({ RETOUCH_RETENTON: "1h" })).toThrow(
      refused("RETOUCH_RETENTON is not a setting; did you mean RETOUCH_RETENTION?"),
    );
    expect(() => readConfig({ RETOUCH_COLOUR_OF_THE_DOOR: "red" })).toThrow(
      refused("RETOUCH_COLOUR_OF_THE_DOOR is not a setting."),
    );
  });

  it.each([
    [
      { RETOUCH_MIN_SIDE: "1024", RETOUCH_MAX_SIDE: "512" },
      "RETOUCH_MIN_SIDE (1024) must not be more than RETOUCH_MAX_SIDE (512).",
    ],
    [
      { RETOUCH_LEASE: "8s", RETOUCH_LEASE_RENEWAL: "4001" },
      "RETOUCH_LEASE_RENEWAL (4001 ms) must be at most half of RETOUCH_LEASE (8000 ms).",
    ],
    [
      { RETOUCH_RUN_MAX_BYTES: "90MB" },
      "RETOUCH_BODY_BUDGET_PER_KEY (83886080 bytes) must be at least the largest body (94371840 bytes).",
    ],
    [
      { RETOUCH_RUNSYNC_MAX_BYTES: "81MB" },
      "RETOUCH_BODY_BUDGET_PER_KEY (83886080 bytes) must be at least the largest body (84934656 bytes).",
    ],
    [
      { RETOUCH_BODY_BUDGET: "79MB" },
      "RETOUCH_BODY_BUDGET_PER_KEY (83886080 bytes) must not be more than RETOUCH_BODY_BUDGET (82837504 bytes).",
    ],
    [
      { RETOUCH_S3_BUCKET: "pictures", RETOUCH_S3_ACCESS_KEY_ID: "id" },
      "RETOUCH_S3_ACCESS_KEY_ID and RETOUCH_S3_SECRET_ACCESS_KEY must be given together.",
    ],
    [
      { RETOUCH_S3_BUCKET: "pictures", RETOUCH_S3_SECRET_ACCESS_KEY: "hunter2" },
      "RETOUCH_S3_ACCESS_KEY_ID and RETOUCH_S3_SECRET_ACCESS_KEY must be given together.",
    ],
    [
      { RETOUCH_S3_ENDPOINT: "http://127.0.0.1:9000", RETOUCH_S3_PREFIX: "retouch/" },
      "RETOUCH_S3_ENDPOINT must not be given without RETOUCH_S3_BUCKET.\n" +
        "RETOUCH_S3_PREFIX must not be given without RETOUCH_S3_BUCKET.",
    ],
  ])("is one that contradicts another: %j", (environment, sentence) => {
    expect(() => readConfig(environment)).toThrow(refused(sentence));
  });
});
