/**
 * A socket in the data folder that only its user can open, over which other programs ask the owner of that folder: one
 * JSON value in, one out.
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import { lstatSync, mkdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ERROR_CODES, messageOf, RetouchError } from "../errors.ts";

export interface AdminServer {
  close(): Promise<void>;
}

/** The system truncates longer names. */
const MAX_SOCKET_PATH = 100;
const MAX_REQUEST_BYTES = 16 * 1024;
/** Enough for tens of thousands of keys. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const OWNER_ONLY = 0o177;

/**
 * Listens in `folder`, which this process must own.
 * @param answer gets the text of a call; what it throws reaches the caller
 */
export async function listenInFolder(
  folder: string,
  answer: (body: string) => Promise<unknown>,
): Promise<AdminServer> {
  const socket = prepareSocket(folder);
  // Left by a killed server; the folder's lock shows that it is gone.
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
      answer(Buffer.concat(chunks).toString()).then(
        (result) => response.end(JSON.stringify({ result })),
        (error: unknown) => response.writeHead(statusOf(error)).end(JSON.stringify(refusalOf(error))),
      );
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // The socket is created inside this call, with these permissions.
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

/**
 * Asks the server that runs on `folder`. Creates nothing there.
 * @throws what it threw; an error with the code ECONNREFUSED or ENOENT if no server runs on it
 */
export async function askFolder<Result>(folder: string, body: unknown): Promise<Result> {
  return call<Result>(findSocket(folder), body);
}

const statusOf = (error: unknown): number => (error instanceof RetouchError ? error.httpStatus : 500);

interface Refusal {
  error: string;
  /** Code from the catalogue, if the failure is one of its own. */
  code?: string | undefined;
}

const refusalOf = (error: unknown): Refusal => ({
  error: messageOf(error),
  code: error instanceof RetouchError ? error.code : undefined,
});

function errorOf({ error, code }: Refusal): Error {
  const known = ERROR_CODES.find((one) => one === code);
  return known === undefined ? new Error(error) : new RetouchError(known, error);
}

function call<Result>(socketPath: string, body: unknown): Promise<Result> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, method: "POST", path: "/" }, (response) => {
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER_BYTES) response.destroy(new Error("The server's answer is too long."));
      });
      response.on("error", reject);
      response.on("end", () => {
        const answer = JSON.parse(text) as { result: Result } | Refusal;
        if ("error" in answer) reject(errorOf(answer));
        else resolve(answer.result);
      });
    });
    request.on("error", reject);
    request.end(JSON.stringify(body));
  });
}

/** Where a server on `folder` listens; if the path is too long, in a private folder elsewhere. */
function socketOf(folder: string): { socket: string; shelter?: string } {
  const name = `retouch-${createHash("sha256").update(folder).digest("hex").slice(0, 16)}`;
  if (process.platform === "win32") return { socket: `\\\\.\\pipe\\${name}` };
  const socket = path.join(folder, "admin.sock");
  if (Buffer.byteLength(socket) <= MAX_SOCKET_PATH) return { socket };
  const shelter = path.join(os.tmpdir(), `${name}-${os.userInfo().uid}`);
  return { socket: path.join(shelter, "admin.sock"), shelter };
}

function prepareSocket(folder: string): string {
  const { shelter } = socketOf(folder);
  if (shelter !== undefined) mkdirSync(shelter, { recursive: true, mode: 0o700 });
  return findSocket(folder);
}

/**
 * @throws an error with the code ENOENT if that private folder is missing: somebody else could create it and
 * listen
 */
function findSocket(folder: string): string {
  const { socket, shelter } = socketOf(folder);
  if (shelter === undefined) return socket;
  // Anyone may have created a folder of this name there first, to listen instead of us.
  const found = lstatSync(shelter);
  if (!found.isDirectory() || found.uid !== os.userInfo().uid || (found.mode & 0o077) !== 0) {
    throw new Error(`${shelter} is open to others; delete it.`);
  }
  return socket;
}
