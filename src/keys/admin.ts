/**
 * The local door of a running server: API keys, over a socket in the data folder that only its user can open. The
 * embedded database has one owner, so other programs ask it and do not open the folder themselves.
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import { lstatSync, mkdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { messageOf } from "../errors.ts";
import type { ApiKey, Keys } from "./contracts.ts";

/** What can be asked. */
export type KeysAdmin = Pick<Keys, "create" | "list" | "revoke">;

export interface AdminServer {
  close(): Promise<void>;
}

/** The system cuts longer names short. */
const MAX_SOCKET_PATH = 100;
const MAX_REQUEST_BYTES = 4096;
const OWNER_ONLY = 0o177;

/** Listens in `folder`, which this process must own. */
export async function startAdminServer(folder: string, keys: KeysAdmin): Promise<AdminServer> {
  const socket = socketOf(folder);
  // Left by a server that was killed; the folder's lock says that it is gone.
  if (process.platform !== "win32") await rm(socket, { force: true });
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_REQUEST_BYTES) request.destroy();
      else chunks.push(chunk);
    });
    request.on("end", () => {
      serve(keys, Buffer.concat(chunks).toString()).then(
        (result) => response.end(JSON.stringify({ result })),
        (error: unknown) => response.writeHead(500).end(JSON.stringify({ error: messageOf(error) })),
      );
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // The socket is made inside this call, with these rights.
    const before = process.umask(OWNER_ONLY);
    server.listen(socket, resolve);
    process.umask(before);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The keys of the server that runs on `folder`. Methods reject with the code ECONNREFUSED or ENOENT where none does. */
export function connectAdmin(folder: string): KeysAdmin {
  const ask = <Result>(method: string, argument?: string): Promise<Result> =>
    call<Result>(socketOf(folder), { method, argument });
  return {
    async create(name) {
      const { key, record } = await ask<{ key: string; record: ApiKey }>("create", name);
      return { key, record: withDates(record) };
    },
    async list() {
      const records = await ask<ApiKey[]>("list");
      return records.map(withDates);
    },
    revoke: (id) => ask<boolean>("revoke", id),
  };
}

async function serve(keys: KeysAdmin, body: string): Promise<unknown> {
  const { method, argument = "" } = JSON.parse(body) as { method: string; argument?: string };
  if (method === "create") return keys.create(argument);
  if (method === "list") return keys.list();
  if (method === "revoke") return keys.revoke(argument);
  throw new Error(`There is no method ${method}.`);
}

function call<Result>(socketPath: string, body: unknown): Promise<Result> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, method: "POST", path: "/" }, (response) => {
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        const answer = JSON.parse(text) as { result: Result; error?: string };
        if (answer.error === undefined) resolve(answer.result);
        else reject(new Error(answer.error));
      });
    });
    request.on("error", reject);
    request.end(JSON.stringify(body));
  });
}

function socketOf(folder: string): string {
  const name = `retouch-${createHash("sha256").update(folder).digest("hex").slice(0, 16)}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\${name}`;
  const socket = path.join(folder, "admin.sock");
  if (Buffer.byteLength(socket) <= MAX_SOCKET_PATH) return socket;
  const { uid } = os.userInfo();
  const shelter = path.join(os.tmpdir(), `${name}-${uid}`);
  mkdirSync(shelter, { recursive: true, mode: 0o700 });
  // Anyone may have made a folder of this name there before, to listen in our place.
  const found = lstatSync(shelter);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw new Error(`${shelter} is open to others; delete it.`);
  }
  return path.join(shelter, "admin.sock");
}

const withDates = (record: ApiKey): ApiKey => ({
  ...record,
  createdAt: new Date(record.createdAt),
  ...(record.revokedAt && { revokedAt: new Date(record.revokedAt) }),
});
