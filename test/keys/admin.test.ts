import { chmod, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  connectAdmin as connect,
  type KeysAdmin,
  startAdminServer as startServer,
} from "../../src/keys/admin.ts";
import { RetouchError } from "../../src/errors.ts";
import type { ApiKey } from "../../src/keys/contracts.ts";
import type { Job } from "../../src/jobs/job.ts";
import type { ReviewEntry } from "../../src/jobs/review-log.ts";
import type { HeldJob, Reviews } from "../../src/jobs/reviews.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const startAdminServer = (folder: string, keys: KeysAdmin, reviews = createMemoryReviews()) =>
  startServer(folder, { keys, reviews });
const connectAdmin = (folder: string): KeysAdmin => connect(folder).keys;

const HELD: HeldJob = {
  jobId: "job-1",
  keyId: "key_0",
  endpoint: "",
  heldAt: new Date(1_700_000_000_000),
  until: new Date(1_700_100_000_000),
  prompt: "Make it night",
  safety: { checker: { name: "MobileNetV2", sha256: "ab" }, threshold: 0.7, scores: [0.8] },
  pictures: [{ key: "outputs/a.png", bytes: 3 }],
};

/** One held result, which a decision ends. */
function createMemoryReviews(): Reviews {
  const entries: ReviewEntry[] = [];
  return {
    list: async () => ({ held: entries.length === 0 ? [HELD] : [], total: entries.length === 0 ? 1 : 0 }),
    find: async (jobId) => (jobId === HELD.jobId ? HELD : undefined),
    async decide(jobId, { verdict: event, actor, reason }) {
      if (jobId !== HELD.jobId) return undefined;
      if (entries.length > 0) throw new RetouchError("REVIEW_OVER", "The review of this job is over.");
      entries.push({ at: new Date(1_700_050_000_000), jobId, keyId: HELD.keyId, event, actor, reason });
      return { id: jobId, submittedAt: HELD.heldAt, status: "completed" } as Job;
    },
    log: async ({ limit }) => entries.slice(0, limit),
  };
}

/** Keys in memory. */
function createMemoryKeys(): KeysAdmin {
  const records: ApiKey[] = [];
  return {
    async create(name) {
      if (name === "") throw new Error("The database does not answer.");
      if (name === "wrong") throw new RetouchError("INVALID_PARAMETER", "That is no name.");
      const id = `key_${records.length}`;
      const record = { id, name, prefix: "rtk_abcdef", createdAt: new Date(1_700_000_000_000) };
      records.unshift(record);
      return { key: `rtk_abcdef-${name}`, webhookSecret: `whsec_${name}`, record };
    },
    list: async () => records,
    async update(id, { isOperator, safetyThreshold }) {
      const found = records.find((record) => record.id === id);
      if (isOperator !== undefined) Object.assign(found ?? {}, { isOperator: isOperator || undefined });
      return found && Object.assign(found, { safetyThreshold: safetyThreshold ?? undefined });
    },
    async revoke(id) {
      const found = records.find((record) => record.id === id && record.revokedAt === undefined);
      if (found) found.revokedAt = new Date(1_800_000_000_000);
      return found !== undefined;
    },
    async rotateWebhookSecret(id, keepMs) {
      if (!records.some((record) => record.id === id)) return undefined;
      return { secret: "whsec_new", oldUntil: keepMs === 0 ? undefined : new Date(keepMs) };
    },
    async revokeOldWebhookSecrets(id) {
      return records.some((record) => record.id === id) ? 2 : undefined;
    },
  };
}

async function start(folder: string): Promise<KeysAdmin> {
  const server = await startAdminServer(folder, createMemoryKeys());
  onTestFinished(() => server.close());
  return connectAdmin(folder);
}

const noSockets = process.platform === "win32" ? "no sockets in folders on this system" : undefined;

describe.skipIf(noSockets !== undefined)(
  `the local door of a server${noSockets ? `: ${noSockets}` : ""}`,
  () => {
    it("creates, lists and revokes keys", async () => {
      const admin = await start(await temporaryFolder());
      const { key, webhookSecret, record } = await admin.create("größer 🐦");
      expect(key).toBe("rtk_abcdef-größer 🐦");
      expect(webhookSecret).toBe("whsec_größer 🐦");
      expect(record).toEqual({
        id: "key_0",
        name: "größer 🐦",
        prefix: "rtk_abcdef",
        createdAt: new Date(1_700_000_000_000),
      });
      expect(await admin.list()).toEqual([record]);
      expect(await admin.revoke(record.id)).toBe(true);
      expect(await admin.revoke(record.id)).toBe(false);
      expect(await admin.list()).toEqual([{ ...record, revokedAt: new Date(1_800_000_000_000) }]);
    });

    it("settles the terms of a key", async () => {
      const admin = await start(await temporaryFolder());
      const { id } = (await admin.create("shop", { isOperator: true })).record;
      expect(await admin.update(id, { isOperator: true, safetyThreshold: 0.25 })).toMatchObject({
        isOperator: true,
        safetyThreshold: 0.25,
        createdAt: expect.any(Date),
      });
      expect(await admin.update(id, { safetyThreshold: null })).not.toHaveProperty("safetyThreshold");
      expect(await admin.update("key_9", {})).toBeUndefined();
    });

    it("lists, finds and decides what is held, and tells who came second", async () => {
      const folder = await temporaryFolder();
      await start(folder);
      const { reviews } = connect(folder);
      expect(await reviews.list({ offset: 0, limit: 10 })).toEqual({ held: [HELD], total: 1 });
      expect(await reviews.find("job-1")).toEqual(HELD);
      expect(await reviews.find("job-2")).toBeUndefined();
      const decision = { verdict: "approved", actor: { name: "root" }, reason: "größer 🐦" } as const;
      expect(await reviews.decide("job-2", decision)).toBeUndefined();
      expect(await reviews.decide("job-1", decision)).toMatchObject({ submittedAt: HELD.heldAt });
      await expect(reviews.decide("job-1", decision)).rejects.toEqual(
        refusal("REVIEW_OVER", "The review of this job is over."),
      );
      expect(await reviews.log({ offset: 0, limit: 10 })).toEqual([
        {
          at: new Date(1_700_050_000_000),
          jobId: "job-1",
          keyId: "key_0",
          event: "approved",
          actor: { name: "root" },
          reason: "größer 🐦",
        },
      ]);
    });

    it("rotates webhook secrets and ends old ones", async () => {
      const admin = await start(await temporaryFolder());
      const { id } = (await admin.create("shop")).record;
      expect(await admin.rotateWebhookSecret(id, 86_400_000)).toEqual({
        secret: "whsec_new",
        oldUntil: new Date(86_400_000),
      });
      expect(await admin.rotateWebhookSecret(id, 0)).toEqual({ secret: "whsec_new" });
      expect(await admin.rotateWebhookSecret("key_9", 0)).toBeUndefined();
      expect(await admin.revokeOldWebhookSecrets(id)).toBe(2);
      expect(await admin.revokeOldWebhookSecrets("key_9")).toBeUndefined();
    });

    it("passes a failure's sentence on, and its code where it has one", async () => {
      const admin = await start(await temporaryFolder());
      await expect(admin.create("")).rejects.toThrow("The database does not answer.");
      await expect(admin.create("wrong")).rejects.toEqual(refusal("INVALID_PARAMETER", "That is no name."));
      expect(await admin.list()).toEqual([]);
    });

    it("is its user's alone, whatever rights files get otherwise", async () => {
      const before = process.umask(0);
      onTestFinished(() => void process.umask(before));
      const folder = await temporaryFolder();
      await start(folder);
      const { mode } = await stat(path.join(folder, "admin.sock"));
      expect(mode & 0o777).toBe(0o600);
      expect(process.umask()).toBe(0);
    });

    it("is not there where no server runs or ran", async () => {
      const admin = connectAdmin(await temporaryFolder());
      await expect(admin.list()).rejects.toMatchObject({ code: "ENOENT" });
    });

    it("is not there any more once the server has stopped", async () => {
      const folder = await temporaryFolder();
      const server = await startAdminServer(folder, createMemoryKeys());
      await server.close();
      await expect(connectAdmin(folder).list()).rejects.toMatchObject({ code: "ENOENT" });
    });

    it("is closed where a server was killed, and opened anew by the next one", async () => {
      const folder = await temporaryFolder();
      await writeFile(path.join(folder, "admin.sock"), "");
      await expect(connectAdmin(folder).list()).rejects.toMatchObject({ code: "ECONNREFUSED" });
      const admin = await start(folder);
      expect(await admin.list()).toEqual([]);
    });

    it("closes with calls under way", async () => {
      const folder = await temporaryFolder();
      const keys = { ...createMemoryKeys(), list: () => new Promise<never>(() => {}) };
      const server = await startAdminServer(folder, keys);
      const asked = expect(connectAdmin(folder).list()).rejects.toMatchObject({ code: "ECONNRESET" });
      const connection = net.connect(path.join(folder, "admin.sock"));
      await new Promise((resolve) => connection.once("connect", resolve));
      connection.on("error", () => {});
      await server.close();
      await asked;
    });

    it("takes no more than it could need", async () => {
      const admin = await start(await temporaryFolder());
      await expect(admin.create("a".repeat(20_000))).rejects.toMatchObject({
        code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/),
      });
      expect(await admin.list()).toEqual([]);
    });

    it.each([
      '{"method":"constructor"}',
      '{"method":"create","argument":["a"]}',
      '{"method":"rotateWebhookSecret","argument":"a","keepMs":"1"}',
      '{"method":"create","argument":"a","options":3}',
      '{"method":"update","argument":"a","options":{"safetyThreshold":"0.5"}}',
      '{"method":"listReviews","options":{"offset":0}}',
      '{"method":"logReviews","options":{"offset":0,"limit":10,"jobId":7}}',
      '{"method":"decideReview","argument":"a","options":{"verdict":"maybe","actor":{"name":"a"}}}',
      '{"method":"decideReview","argument":"a","options":{"verdict":"approved"}}',
      '{"method":"revoke","argument":"a\\u0000"}',
      "null",
      "{",
      "",
    ])("refuses %s, and goes on", async (body) => {
      const folder = await temporaryFolder();
      const admin = await start(folder);
      const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
        const options = { socketPath: path.join(folder, "admin.sock"), method: "POST" };
        http.request(options, resolve).on("error", reject).end(body);
      });
      const [answer] = (await response.setEncoding("utf8").toArray()) as string[];
      expect(response.statusCode).toBe(400);
      expect(JSON.parse(answer!)).toEqual({
        error: expect.stringMatching(/^(There is no such method|The request is malformed)\.$/),
        code: "INVALID_PARAMETER",
      });
      expect(await admin.list()).toEqual([]);
    });

    it("reads no endless answer", async () => {
      const folder = await temporaryFolder();
      const prefix = "x".repeat(2 ** 20);
      const records = Array.from({ length: 20 }, () => ({
        id: "key_0",
        name: "a",
        prefix,
        createdAt: new Date(0),
      }));
      const server = await startAdminServer(folder, { ...createMemoryKeys(), list: async () => records });
      onTestFinished(() => server.close());
      await expect(connectAdmin(folder).list()).rejects.toThrow("The server's answer is too long.");
    });

    describe("of a folder with a long name", () => {
      /** Longer than the system lets a socket's path be; and a place for what replaces it. */
      async function longFolder(): Promise<{ folder: string; shelters: string }> {
        const shelters = await temporaryFolder();
        vi.spyOn(os, "tmpdir").mockReturnValue(shelters);
        onTestFinished(() => void vi.restoreAllMocks());
        const folder = path.join(await temporaryFolder(), "a".repeat(120));
        await mkdir(folder);
        return { folder, shelters };
      }

      it("lies in a folder for its user alone", async () => {
        const { folder, shelters } = await longFolder();
        const admin = await start(folder);
        expect(await admin.list()).toEqual([]);
        expect(await readdir(folder)).toEqual([]);
        const [shelter] = await readdir(shelters);
        expect((await stat(path.join(shelters, shelter!))).mode & 0o777).toBe(0o700);
      });

      it("is not made by who only asks for a server", async () => {
        const { folder, shelters } = await longFolder();
        await expect(connectAdmin(folder).list()).rejects.toMatchObject({ code: "ENOENT" });
        expect(await readdir(shelters)).toEqual([]);
      });

      it("is another one than that of another such folder", async () => {
        const { folder } = await longFolder();
        const admin = await start(folder);
        await admin.create("shop");
        const another = `${folder}b`;
        await mkdir(another);
        await expect(connectAdmin(another).list()).rejects.toMatchObject({ code: "ENOENT" });
        expect(await (await start(another)).list()).toEqual([]);
        expect(await admin.list()).toHaveLength(1);
      });

      it("is not used where somebody else could have made that folder", async () => {
        const { folder, shelters } = await longFolder();
        await start(folder);
        const [shelter] = await readdir(shelters);
        await chmod(path.join(shelters, shelter!), 0o777);
        await expect(connectAdmin(folder).list()).rejects.toThrow(/is open to others/);
      });
    });
  },
);
