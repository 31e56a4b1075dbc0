import { chmod, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { connectAdmin, type KeysAdmin, startAdminServer } from "../../src/keys/admin.ts";
import type { ApiKey } from "../../src/keys/contracts.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** Keys in memory. */
function createMemoryKeys(): KeysAdmin {
  const records: ApiKey[] = [];
  return {
    async create(name) {
      if (name === "") throw new Error("The database does not answer.");
      const id = `key_${records.length}`;
      const record = { id, name, prefix: "rtk_abcdef", createdAt: new Date(1_700_000_000_000) };
      records.unshift(record);
      return { key: `rtk_abcdef-${name}`, record };
    },
    list: async () => records,
    async revoke(id) {
      const found = records.find((record) => record.id === id && record.revokedAt === undefined);
      if (found) found.revokedAt = new Date(1_800_000_000_000);
      return found !== undefined;
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
      const { key, record } = await admin.create("größer 🐦");
      expect(key).toBe("rtk_abcdef-größer 🐦");
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

    it("passes a failure's sentence on", async () => {
      const admin = await start(await temporaryFolder());
      await expect(admin.create("")).rejects.toThrow("The database does not answer.");
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
      await expect(admin.create("a".repeat(5000))).rejects.toMatchObject({
        code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/),
      });
      expect(await admin.list()).toEqual([]);
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
