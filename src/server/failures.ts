/** Turns every failure into a status and a sentence; what is not the caller's fault is logged, not shown. */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type FailureRecord, recordOf, RetouchError, wordError } from "../errors.ts";
import { WIRE } from "../engine/edit-parameters.ts";
import type { Log } from "../log.ts";
import { ANSWER_HEADERS } from "./answer-headers.ts";
import { type Authenticate, type CheckCaller, refuseKey } from "./auth.ts";
import { createMethodTable } from "./method-table.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Why the call is refused, if known as data: routes of other APIs put it into their own format. */
    failure?: FailureRecord;
  }
}

type Failure = Partial<FastifyError> & { retryAfterSeconds?: number; isRefusal?: boolean };

/** Refused for lack of space before anything was done: the sentence is for the caller. */
const NO_ROOM = 507;
const RETRY_SECONDS: Readonly<Record<number, number>> = { 429: 5, 503: 5, [NO_ROOM]: 60 };
/** Faults of the caller that Node detects before there is a request. */
const HTTP_FAULTS: Readonly<Record<string, { status: number; error: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, error: "The request did not arrive in time." },
  HPE_HEADER_OVERFLOW: { status: 431, error: "The headers are larger than this server allows." },
};
const NO_HTTP = { status: 400, error: "The request is not valid HTTP." };

export interface CallerChecks {
  authenticate: Authenticate;
  checkCaller: CheckCaller;
}

/**
 * @param options.endpointIds tell another endpoint's name apart from a path that does not exist
 * @param options.authenticate asked before the reply reveals which endpoints there are
 * @param options.checkCaller asked before the reply reveals anything about a path
 */
export function addFailures(
  app: FastifyInstance,
  log: Log,
  { endpointIds, authenticate, checkCaller }: CallerChecks & { endpointIds: readonly string[] },
): void {
  app.decorateRequest("failure", undefined);
  const table = createMethodTable(app);
  // Done as soon as the headers are there: the body of a request without a route may be anything.
  app.addHook("onRequest", async (request, reply) => {
    if (!request.is404) return;
    await checkCaller(request);
    const path = request.url.replace(/\?.*$/s, "");
    const endpoint = /^\/+v2\/+([^/]+)/.exec(path)?.[1];
    if (endpoint !== undefined && !endpointIds.includes(endpoint)) {
      if ((await authenticate(request)) === undefined) return refuseKey(reply);
      return reply.code(404).send({ error: "endpoint not found" });
    }
    const methods = table.methodsOf(path);
    if (methods.length === 0) return reply.code(404).send({ error: "not found" });
    const allowed = methods.join(", ");
    return reply
      .code(405)
      .header("allow", allowed)
      .send({ error: `Only ${allowed} can be used here.` });
  });
  app.setErrorHandler((error: Failure, request, reply) => answer(error, request, reply, log));
}

/** Answers a URL that cannot be decoded, or that holds something endless where an id should be. */
export async function answerUnreadable(
  request: FastifyRequest,
  reply: FastifyReply,
  checkCaller: CheckCaller,
): Promise<void> {
  const refused = await checkCaller(request).catch((error: Failure) => error);
  const isForeign = refused instanceof RetouchError && refused.code === "HOST_UNKNOWN";
  await reply
    .code(isForeign ? refused.httpStatus : 404)
    .headers(ANSWER_HEADERS)
    .send({ error: isForeign ? refused.message : "not found" });
}

/** Refuses a request by the server's own rules: the sentence is for the caller, and nothing is wrong here. */
export const refusal = (statusCode: number, sentence: string): Error =>
  Object.assign(new Error(sentence), { statusCode, isRefusal: true });

/** Answers what is not HTTP or came too slowly, and ends the connection. */
export function answerBrokenCall({ code }: { code?: string }, socket: Socket): void {
  if (!socket.writable) return;
  const { status, error } = HTTP_FAULTS[code ?? ""] ?? NO_HTTP;
  const body = JSON.stringify({ error });
  const headers = Object.entries(ANSWER_HEADERS).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\nConnection: close\r\n` +
      `${headers.join("")}Content-Length: ${body.length}\r\n\r\n${body}`,
  );
}

function answer(error: Failure, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const status = statusOf(error);
  const retryAfter = error.retryAfterSeconds ?? RETRY_SECONDS[status];
  if (retryAfter !== undefined) void reply.header("retry-after", retryAfter);
  if (status < 500 || status === NO_ROOM || error.isRefusal) {
    // Fastify would close the connection on a body that it did not read, and a client still writing would see
    // a broken connection instead of the reply. If it stays open, Node reads and discards what comes, and
    // closes it after a time. A body that comes too slowly is not worth waiting for.
    if (status === 408) void reply.header("connection", "close");
    else void reply.removeHeader("connection");
    if (error instanceof RetouchError) request.failure = recordOf(error);
    return reply.code(status).send({ error: sentenceFor(error) });
  }
  const { method, id } = request;
  log.error({ err: error, reqId: id, method, route: request.routeOptions.url }, "A call failed.");
  const sentence =
    status === 503 ? "The service is unavailable at the moment; try again later." : "internal error";
  return reply.code(status).send({ error: sentence });
}

/** Our own sentences are meant to be shown; those of libraries are not. */
function sentenceFor(error: Failure): string {
  if (error instanceof RetouchError) return wordError(error, WIRE);
  const isOwn = error.isRefusal || error.retryAfterSeconds !== undefined;
  return isOwn ? error.message! : "The request is not valid.";
}

/** 500 is for defects; what may pass by itself, such as an unreachable database, is 503. */
function statusOf(error: Failure): number {
  if (error instanceof RetouchError) {
    if (error.code === "DISK_FULL" || error.code === "QUOTA_EXCEEDED") return NO_ROOM;
    return error.httpStatus < 500 ? error.httpStatus : error.isRetryable ? 503 : 500;
  }
  const { statusCode = 500 } = error;
  return (statusCode >= 400 && statusCode < 500) || statusCode === 503 ? statusCode : 500;
}
