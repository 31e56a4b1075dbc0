/** Every failure becomes a status and one sentence here; what is no failure of the caller is logged, and not shown. */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RetouchError } from "../errors.ts";
import type { Log } from "../log.ts";
import { createMethodTable } from "./method-table.ts";

type Failure = Partial<FastifyError> & { retryAfterSeconds?: number; isRefusal?: boolean };

const RETRY_SECONDS: Readonly<Record<number, number>> = { 429: 5, 503: 5 };
/** Faults of the caller that Node finds before there is a request. */
const HTTP_FAULTS: Readonly<Record<string, { status: number; error: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, error: "The request did not arrive in time." },
  HPE_HEADER_OVERFLOW: { status: 431, error: "The headers are larger than this server allows." },
};
const NO_HTTP = { status: 400, error: "The request is not valid HTTP." };

/** @param endpointId another endpoint's name is told apart from a path that does not exist */
export function addFailures(app: FastifyInstance, log: Log, endpointId: string): void {
  const table = createMethodTable(app);
  // As soon as its head is there: the body of a call that has no route may be anything.
  app.addHook("onRequest", async (request, reply) => {
    if (!request.is404) return;
    const path = request.url.replace(/\?.*$/s, "");
    const methods = table.methodsOf(path);
    if (methods.length === 0) {
      const endpoint = /^\/+v2\/+([^/]+)/.exec(path)?.[1];
      const what = endpoint === undefined || endpoint === endpointId ? "not found" : "endpoint not found";
      return reply.code(404).send({ error: what });
    }
    const allowed = methods.join(", ");
    return reply
      .code(405)
      .header("allow", allowed)
      .send({ error: `Only ${allowed} can be used here.` });
  });
  app.setErrorHandler((error: Failure, request, reply) => answer(error, request, reply, log));
}

/** What the server does not take, by its own rules: the sentence is for the caller, and nothing is wrong here. */
export const refusal = (statusCode: number, sentence: string): Error =>
  Object.assign(new Error(sentence), { statusCode, isRefusal: true });

/** Answers what is no HTTP, or came too slowly, and ends the connection. */
export function answerBrokenCall({ code }: { code?: string }, socket: Socket): void {
  if (!socket.writable) return;
  const { status, error } = HTTP_FAULTS[code ?? ""] ?? NO_HTTP;
  const body = JSON.stringify({ error });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\nConnection: close\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
}

function answer(error: Failure, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const status = statusOf(error);
  const retryAfter = error.retryAfterSeconds ?? RETRY_SECONDS[status];
  if (retryAfter !== undefined) void reply.header("retry-after", retryAfter);
  if (status < 500 || error.isRefusal) {
    // Fastify would close the connection on a body that it did not read, and a client that still writes would see no
    // answer but a broken connection. Left open, Node reads what comes, keeps none of it, and ends it after a time.
    // Not where it comes too slowly to wait for.
    if (status === 408) void reply.header("connection", "close");
    else void reply.removeHeader("connection");
    return reply.code(status).send({ error: error.message ?? "bad request" });
  }
  const { method, id } = request;
  log.error({ err: error, reqId: id, method, route: request.routeOptions.url }, "A call failed.");
  const sentence = status === 503 ? "The service cannot answer now; try again later." : "internal error";
  return reply.code(status).send({ error: sentence });
}

/** 500 is for defects; what may pass by itself, such as a full disk or a database that is away, is 503. */
function statusOf(error: Failure): number {
  if (error instanceof RetouchError) {
    return error.httpStatus < 500 ? error.httpStatus : error.isRetryable ? 503 : 500;
  }
  const { statusCode = 500 } = error;
  return (statusCode >= 400 && statusCode < 500) || statusCode === 503 ? statusCode : 500;
}
