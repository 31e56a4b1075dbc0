/** Failures of other providers' APIs in the shape that their clients read, wherever in the server they arise. */
import type { FastifyInstance, FastifyReply } from "fastify";
import { type FailureRecord, sentenceOf, type Surface } from "../errors.ts";

export interface ErrorShape {
  /** Matches the addresses whose failures have it. */
  paths: RegExp;
  /** The API's names of fields, for the sentence. @default those of the wire */
  surface?: Surface | undefined;
  /** The status where something in the body is wrong. @default 400 and 415, as elsewhere */
  refusedStatus?: number | undefined;
  /** @param reply whose status and headers it may change */
  shape: (failure: ShownFailure, reply: FastifyReply) => object;
}

export interface ShownFailure {
  status: number;
  /** One sentence. */
  message: string;
  failure: FailureRecord | undefined;
}

const REFUSED: ReadonlySet<number> = new Set([400, 415]);

export function addErrorShape(
  app: FastifyInstance,
  { paths, surface, refusedStatus, shape }: ErrorShape,
): void {
  app.addHook("preSerialization", async (request, reply, payload) => {
    if (reply.statusCode < 400 || !paths.test(request.url)) return payload;
    const { error } = payload as { error?: string };
    // Shaped already, where the route knows better.
    if (error === undefined) return payload;
    if (refusedStatus !== undefined && REFUSED.has(reply.statusCode)) reply.code(refusedStatus);
    const { statusCode: status } = reply;
    const { failure } = request;
    const message = failure && surface ? sentenceOf(failure, surface) : error;
    return shape({ status, message, failure }, reply);
  });
}
