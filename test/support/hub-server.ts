/**
 * A server that speaks the hub's API (https://huggingface.co/docs/hub/api) for one repository, and one beside it that
 * stands for the network of servers to which it sends whoever asks for large files.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import { serve } from "../net/servers.ts";
import { fixtures } from "./fixtures.ts";

export const REPOSITORY = "black-forest-labs/FLUX.1-Kontext-dev";
export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export interface Asked {
  host: "hub" | "cdn";
  /** The file for addresses of files, the path for others. */
  path: string;
  authorization: string | undefined;
  range: string | undefined;
  isHead: boolean;
}

/** Answers in the server's place, or does not (undefined). */
type Fault = (asked: Asked, response: ServerResponse, bytes: Buffer | undefined) => true | undefined;

export interface HubServer {
  endpoint: string;
  files: Map<string, Buffer>;
  /** Every request, in order. */
  asked: Asked[];
  /** Requests for the bytes of large files. */
  forBytes(): Asked[];
  fault: Fault | undefined;
  /** Fields of the model's page. */
  card: Record<string, unknown>;
  oidOf(file: string): string;
  /** Changes the listing before it is sent. */
  changeListing: (entries: Record<string, unknown>[]) => Record<string, unknown>[];
}

const PAGE = 10;

/** The published model's, as it is on the hub. */
const CARD = {
  license: "other",
  license_name: "flux-1-dev-non-commercial-license",
  license_link: "LICENSE.md",
};

/** Another repository than that of the tests. */
interface Contents {
  repository: string;
  /** A checkpoint. */
  folder: string;
  card: Record<string, unknown>;
  gated: false | "auto" | "manual";
}

export async function serveHub({
  repository = REPOSITORY,
  folder = path.join(fixtures, "checkpoints", "plain"),
  card = CARD,
  gated = "auto",
}: Partial<Contents> = {}): Promise<HubServer> {
  const files = new Map<string, Buffer>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const full = path.join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(path.relative(folder, full).replaceAll("\\", "/"), readFileSync(full));
  }
  // What nobody needs: the same weights in one file, pickles, other precisions, pictures, texts.
  for (const name of [
    "README.md",
    "LICENSE.md",
    "teaser.png",
    "flux1-kontext-dev.safetensors",
    "ae.safetensors",
    "vae/diffusion_pytorch_model.bin",
    "vae/diffusion_pytorch_model.fp16.safetensors",
    "other/model.safetensors",
  ]) {
    files.set(name, Buffer.from(`not wanted: ${name}`));
  }
  const asked: Asked[] = [];
  const server: HubServer = {
    endpoint: "",
    files,
    asked,
    forBytes: () => asked.filter(({ host, isHead }) => host === "cdn" && !isHead),
    fault: undefined,
    card,
    oidOf: (file) => oidOf(file, files.get(file)!),
    changeListing: (entries) => entries,
  };
  const note = (host: Asked["host"], request: IncomingMessage, file: string): Asked => {
    const { authorization, range } = request.headers;
    const entry = { host, path: file, authorization, range, isHead: request.method === "HEAD" };
    asked.push(entry);
    return entry;
  };
  const cdnPort = await serve((request, response) => {
    const file = decodeURIComponent(request.url!.slice(1));
    const bytes = files.get(file)!;
    const entry = note("cdn", request, file);
    if (server.fault?.(entry, response, bytes)) return;
    sendBytes(request, response, bytes);
  });
  const cdn = `http://127.0.0.1:${cdnPort}`;
  const hubPort = await serve((request, response) => {
    const url = new URL(request.url!, server.endpoint);
    const resolve = `/${repository}/resolve/${COMMIT}/`;
    const isFile = url.pathname.startsWith(resolve);
    const file = isFile ? decodeURIComponent(url.pathname.slice(resolve.length)) : url.pathname;
    const entry = note("hub", request, file);
    if (server.fault?.(entry, response, files.get(file))) return;
    const api = `/api/models/${repository}`;
    if (isFile && files.has(file)) return sendFile(cdn, request, response, file, files.get(file)!);
    const revisions = [api, `${api}/revision/main`, `${api}/revision/HEAD`, `${api}/revision/${COMMIT}`];
    if (revisions.includes(url.pathname)) {
      const facts = {
        private: false,
        gated,
        downloads: 1,
        likes: 1,
        tags: [],
        cardData: server.card,
      };
      const siblings = [...files.keys()].map((rfilename) => ({ rfilename }));
      const lastModified = "2025-06-27T12:00:00.000Z";
      return sendJson(response, { _id: "1", id: repository, sha: COMMIT, siblings, lastModified, ...facts });
    }
    if (url.pathname === `${api}/tree/${COMMIT}`) {
      const all = server.changeListing(listingOf(files));
      const start = Number(url.searchParams.get("cursor") ?? 0);
      if (start + PAGE < all.length) {
        url.searchParams.set("cursor", String(start + PAGE));
        response.setHeader("link", `<${url.href}>; rel="next"`);
      }
      return sendJson(response, all.slice(start, start + PAGE));
    }
    const code = url.pathname.startsWith(`${api}/revision/`) ? "RevisionNotFound" : "RepoNotFound";
    response.writeHead(404, { "x-error-code": code, "content-type": "application/json" });
    response.end(JSON.stringify({ error: "not found" }));
  });
  server.endpoint = `http://127.0.0.1:${hubPort}`;
  return server;
}

/** Answers with a status and the hub's code for it. */
export function refuse(response: ServerResponse, status: number, headers: Record<string, string> = {}): true {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ error: "no" }));
  return true;
}

/** Sends the first part and ends the connection. */
export function cut(response: ServerResponse, bytes: Buffer, from: number, to: number): true {
  if (from > 0) {
    response.writeHead(206, {
      "content-length": bytes.length - from,
      "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
    });
  } else {
    response.writeHead(200, { "content-length": bytes.length });
  }
  response.write(bytes.subarray(from, to), () => setTimeout(() => response.destroy(), 20));
  return true;
}

const isLarge = (file: string): boolean => /\.(?:safetensors|bin|png)$/.test(file);

const oidOf = (file: string, bytes: Buffer): string => (isLarge(file) ? sha256(bytes) : gitHash(bytes));
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const gitHash = (bytes: Buffer): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

function listingOf(files: ReadonlyMap<string, Buffer>): Record<string, unknown>[] {
  const folders = new Set([...files.keys()].map((file) => path.posix.dirname(file)));
  folders.delete(".");
  return [
    ...[...folders].map((folder) => ({ type: "directory", path: folder, size: 0, oid: "0".repeat(40) })),
    ...[...files].map(([file, bytes]) => {
      const entry = { type: "file", path: file, size: bytes.length, oid: gitHash(bytes) };
      if (!isLarge(file)) return entry;
      const pointer = Buffer.from(
        `version https://git-lfs\noid sha256:${sha256(bytes)}\nsize ${bytes.length}\n`,
      );
      const lfs = { oid: sha256(bytes), size: bytes.length, pointerSize: pointer.length };
      return Object.assign(entry, { oid: gitHash(pointer), lfs });
    }),
  ];
}

function sendFile(
  cdn: string,
  request: IncomingMessage,
  response: ServerResponse,
  file: string,
  bytes: Buffer,
): void {
  response.setHeader("x-repo-commit", COMMIT);
  if (!isLarge(file)) {
    response.setHeader("etag", `"${oidOf(file, bytes)}"`);
    return sendBytes(request, response, bytes);
  }
  response.setHeader("x-linked-etag", `"${oidOf(file, bytes)}"`);
  response.setHeader("x-linked-size", String(bytes.length));
  response.writeHead(302, { location: `${cdn}/${encodeURIComponent(file)}` });
  response.end();
}

function sendBytes(request: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
  const [, start] = /^bytes=(\d+)-/.exec(request.headers.range ?? "") ?? [];
  const from = Number(start ?? 0);
  const headers = { "content-length": bytes.length - from, "accept-ranges": "bytes" };
  const range = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
  response.writeHead(
    start === undefined ? 200 : 206,
    start === undefined ? headers : { ...headers, ...range },
  );
  response.end(request.method === "HEAD" ? undefined : bytes.subarray(from));
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
}
