/**
 * Addresses of results on this server: nobody can make one up, and each has its end written into it. Who serves them
 * asks here first, whatever storage lies behind.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { isKey } from "./storage.ts";

export interface SignedUrls {
  /** Path and query under which the result can be fetched until its lifetime after `from` is over. */
  sign(key: string, from: Date): string;
  /** The key that an address stands for, where it was made here and has not ended. @param name what follows /files/ */
  verify(name: string, query: { expires?: unknown; signature?: unknown }, now: Date): Verified;
}

export type Verified =
  { state: "valid"; key: string; expiresAt: Date } | { state: "expired" } | { state: "invalid" };

const PATH = "/files/";
/** Only results have addresses: a source is its owner's alone. */
const KIND = "outputs/";

/** @param secret whoever knows it can make addresses; the same on all servers of one database */
export function createSignedUrls({ secret, lifetimeMs }: { secret: string; lifetimeMs: number }): SignedUrls {
  const signatureOf = (name: string, expires: string): string =>
    createHmac("sha256", secret).update(`${name}\n${expires}`).digest("base64url");
  return {
    sign(key, from) {
      if (!isKey(key) || !key.startsWith(KIND)) throw new Error("Only results have addresses.");
      const name = key.slice(KIND.length);
      const expires = String(Math.floor((from.getTime() + lifetimeMs) / 1000));
      return `${PATH}${name}?expires=${expires}&signature=${signatureOf(name, expires)}`;
    },
    verify(name, { expires, signature }, now) {
      const key = KIND + name;
      if (typeof expires !== "string" || typeof signature !== "string" || !isKey(key))
        return { state: "invalid" };
      // The text and not the bytes behind it: several texts decode to the same bytes.
      if (!isEqual(signature, signatureOf(name, expires))) return { state: "invalid" };
      const expiresAt = new Date(Number(expires) * 1000);
      return expiresAt <= now ? { state: "expired" } : { state: "valid", key, expiresAt };
    },
  };
}

/** Takes as long wherever the texts differ, so that nobody can find a signature letter by letter. */
function isEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
