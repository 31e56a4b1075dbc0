/** Who calls: the API key of the Authorization header, with or without "Bearer" before it. */
import type { FastifyRequest } from "fastify";
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

/** @returns the id of the key, or undefined where there is none that counts */
export async function authenticate(
  request: FastifyRequest,
  keys: Pick<Keys, "verify">,
): Promise<string | undefined> {
  const header = request.headers.authorization?.trim() ?? "";
  const key = /^(?:bearer\s+)?(\S+)$/i.exec(header)?.[1];
  if (key === undefined || header.length > MAX_HEADER_LENGTH) return undefined;
  return (await keys.verify(key))?.id;
}
