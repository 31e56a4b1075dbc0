/**
 * Identifies the caller by the API key in the Authorization header, with or without "Bearer" or "Token" before it. Under
 * /bfl it may be in `x-key`, as the clients of that API have it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Keys } from "../keys/contracts.ts";
import { foreignHost, type HostCheck } from "./host-check.ts";
import type { WrongKeys } from "./wrong-keys.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Of the API key; empty on routes without one. */
    keyId: string;
    /** SHA-256 of the body, if the caller sent an idempotency key. */
    bodyHash: string;
  }
}

const MAX_HEADER_LENGTH = 300;

/** @returns the id of the key, or undefined without a valid one @throws after too many invalid ones */
export type Authenticate = (request: FastifyRequest) => Promise<string | undefined>;

export function createAuthenticate(keys: Pick<Keys, "verify">, wrongKeys: WrongKeys): Authenticate {
  return async (request) => {
    const header = headerOf(request);
    if (header === "") return undefined;
    const key =
      header.length > MAX_HEADER_LENGTH ? undefined : /^(?:(?:bearer|token)\s+)?(\S+)$/i.exec(header)?.[1];
    const record = key === undefined ? undefined : await keys.verify(key);
    if (record === undefined) wrongKeys.count(request.raw.socket.remoteAddress);
    return record?.id;
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
    const keyId = await authenticate(request);
    if (keyId === undefined) return refuseKey(reply);
    request.keyId = keyId;
  });
  app.addHook("onRoute", (route) => {
    route.schema = { ...route.schema, security: schemes.map((scheme) => ({ [scheme]: [] })) };
  });
}

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
