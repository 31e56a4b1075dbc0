/** Who calls: the API key of the Authorization header, with or without "Bearer" before it. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Keys } from "../keys/contracts.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Of the API key; empty on routes without one. */
    keyId: string;
    /** SHA-256 of the body, where the caller sent an idempotency key. */
    bodyHash: string;
  }
}

const MAX_HEADER_LENGTH = 300;

/** Answers 401 on the routes of `app`, before the body is read and before anything is said about what exists. */
export function requireKey(app: FastifyInstance, keys: Pick<Keys, "verify">): void {
  app.addHook("onRequest", async (request, reply) => {
    const keyId = await authenticate(request, keys);
    if (keyId === undefined) {
      return reply.code(401).header("www-authenticate", "Bearer").send({ error: "unauthorized" });
    }
    request.keyId = keyId;
  });
  app.addHook("onRoute", (route) => {
    route.schema = { ...route.schema, security: [{ key: [] }] };
  });
}

/** @returns the id of the key, or undefined where there is none that counts */
async function authenticate(
  request: FastifyRequest,
  keys: Pick<Keys, "verify">,
): Promise<string | undefined> {
  const header = request.headers.authorization?.trim() ?? "";
  const key = /^(?:bearer\s+)?(\S+)$/i.exec(header)?.[1];
  if (key === undefined || header.length > MAX_HEADER_LENGTH) return undefined;
  return (await keys.verify(key))?.id;
}
