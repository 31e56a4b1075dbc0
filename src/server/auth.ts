/**
 * Identifies the caller by the API key in the Authorization header, with or without "Bearer" or "Token" before it. Under
 * /bfl it may be in `x-key`, as the clients of that API have it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Actor } from "../jobs/review-log.ts";
import type { ApiKey, Keys } from "../keys/contracts.ts";
import { addressOfClient } from "./client-address.ts";
import { foreignHost, type HostCheck } from "./host-check.ts";
import type { WrongKeys } from "./wrong-keys.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Of the API key; empty on routes without one. */
    keyId: string;
    /** Who calls, with an operator's key. */
    operator?: Actor;
    /** SHA-256 of the body, if the caller sent an idempotency key. */
    bodyHash: string;
  }
}

const MAX_HEADER_LENGTH = 300;

/** @returns the key, or undefined without a valid one @throws after too many invalid ones */
export type Authenticate = (request: FastifyRequest) => Promise<ApiKey | undefined>;

export function createAuthenticate(keys: Pick<Keys, "verify">, wrongKeys: WrongKeys): Authenticate {
  return async (request) => {
    const header = headerOf(request);
    if (header === "") return undefined;
    const key =
      header.length > MAX_HEADER_LENGTH ? undefined : /^(?:(?:bearer|token)\s+)?(\S+)$/i.exec(header)?.[1];
    const record = key === undefined ? undefined : await keys.verify(key);
    if (record === undefined) wrongKeys.count(addressOfClient(request));
    return record;
  };
}

function headerOf({ headers, url }: FastifyRequest): string {
  const own = headers.authorization?.trim() ?? "";
  const other = headers["x-key"];
  return own === "" && typeof other === "string" && BFL_PATH.test(url) ? other.trim() : own;
}

const BFL_PATH = /^\/+bfl\//;

/**
 * Answers 401 on the routes of `app`, before the body is read and before the reply reveals what exists.
 * @param schemes how the document says that the key may be sent
 */
export function requireKey(
  app: FastifyInstance,
  authenticate: Authenticate,
  schemes: readonly string[] = ["key"],
): void {
  app.addHook("onRequest", async (request, reply) => {
    const key = await authenticate(request);
    if (key === undefined) return refuseKey(reply);
    const { id: keyId, name, isOperator } = key;
    request.keyId = keyId;
    if (isOperator) request.operator = { keyId, name };
  });
  app.addHook("onRoute", (route) => {
    route.schema = { ...route.schema, security: schemes.map((scheme) => ({ [scheme]: [] })) };
  });
}

/** Answers 403 as well, to keys that are no operator's: after their calls are counted, and before the body is read. */
export function requireOperator(app: FastifyInstance, authenticate: Authenticate): void {
  requireKey(app, authenticate);
  app.addHook("preParsing", async ({ operator }, reply) => {
    if (operator === undefined) return reply.code(403).send({ error: NO_OPERATOR });
    return undefined;
  });
}

export const NO_OPERATOR =
  "This needs an operator's key, which `retouch keys create NAME --operator` makes on the machine of the service.";

export const refuseKey = (reply: FastifyReply): FastifyReply =>
  reply.code(401).header("www-authenticate", "Bearer").send({ error: "unauthorized" });

/**
 * Refuses a request that has neither one of this server's names as its host nor a key.
 * @throws RetouchError HOST_UNKNOWN
 */
export type CheckCaller = (request: FastifyRequest) => Promise<void>;

export function createCheckCaller(isOwnHost: HostCheck, authenticate: Authenticate): CheckCaller {
  return async (request) => {
    if (isOwnHost(request.headers.host)) return;
    if ((await authenticate(request)) === undefined) throw foreignHost();
  };
}
