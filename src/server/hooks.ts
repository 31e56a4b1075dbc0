/** What happens around every request: its log line, CORS, and how its connection ends. */
import type { IncomingMessage } from "node:http";
import { finished } from "node:stream/promises";
import type { FastifyInstance } from "fastify";
import type { Expectations } from "./expectations.ts";
import type { Log } from "../log.ts";
import type { LongPolls } from "./routes/long-polls.ts";

/** Far more than the default body limit, for clients that send the whole body before they read a reply. */
const MAX_DRAINED_BYTES = 256 * 2 ** 20;
const DRAIN_MS = 10_000;

export interface ClosingOptions {
  longPolls: LongPolls;
  /** How long to wait for peers that send or read slowly, once the server closes. */
  graceMs: number;
  /** Whether the server will close soon. */
  isStopping: () => boolean;
}

/**
 * Ends connections with their next reply from the time when the server is about to close. When it closes, ends
 * long polls at once, and after `graceMs` the connections that are left.
 */
export function addClosing(app: FastifyInstance, { longPolls, graceMs, isStopping }: ClosingOptions): void {
  let timer: NodeJS.Timeout | undefined;
  app.addHook("preClose", async () => {
    longPolls.endAll();
    timer = setTimeout(() => app.server.closeAllConnections(), graceMs);
  });
  app.addHook("onClose", async () => clearTimeout(timer));
  app.addHook("onSend", async (_request, reply) => {
    if (timer || isStopping()) void reply.header("connection", "close");
  });
}

/**
 * Reads the rest of a body before a reply that ends the connection: a client still writing would otherwise
 * see a broken connection instead of the reply. If the connection stays open, Node does so by itself after
 * the reply.
 */
export function addDraining(app: FastifyInstance, expectations: Pick<Expectations, "isUnasked">): void {
  app.addHook("onSend", async ({ raw }, reply) => {
    if (raw.complete || reply.raw.shouldKeepAlive) return;
    // Nothing comes, or it comes too slowly to wait for.
    if (expectations.isUnasked(raw) || reply.statusCode === 408) return;
    await drain(raw);
  });
}

async function drain(raw: IncomingMessage): Promise<void> {
  const signal = AbortSignal.timeout(DRAIN_MS);
  let bytes = 0;
  const tooMuch = new Promise<void>((resolve) => {
    raw.on("data", (part: Buffer) => {
      bytes += part.byteLength;
      if (bytes > MAX_DRAINED_BYTES) resolve();
    });
  });
  // Too late, too much, or gone: the reply goes out all the same.
  await Promise.race([finished(raw, { signal }).catch(() => {}), tooMuch]);
}

/** Logs one line per request for debugging, without body and URL, which may hold a signature. */
export function addCallLog(app: FastifyInstance, log: Log): void {
  app.addHook("onResponse", async (request, reply) => {
    const { id: jobId } = request.params as { id?: string };
    const [{ method, keyId, id: reqId }, route] = [request, request.routeOptions.url];
    const ms = Math.round(reply.elapsedTime);
    log.debug({ reqId, method, route, status: reply.statusCode, ms, keyId, jobId }, "A call was answered.");
  });
}

export function addCors(app: FastifyInstance, origin: string | undefined): void {
  if (origin === undefined) return;
  app.addHook("onRequest", async (request, reply) => {
    void reply.header("access-control-allow-origin", origin).header("vary", "origin");
    if (request.method !== "OPTIONS") return;
    return reply
      .header("access-control-allow-methods", "GET, POST")
      .header("access-control-allow-headers", "authorization, content-type, idempotency-key, prefer, x-key")
      .header("access-control-max-age", 600)
      .code(204)
      .send();
  });
}
