/**
 * URLs of results on this server: nobody can forge one, and each carries its expiry. The route that serves
 * them checks here first, whatever storage lies behind.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { isKey } from "./storage.ts";

export interface SignedUrls {
  /** Path and query under which the result can be fetched, for its lifetime from `from` on. */
  sign(key: string, from: Date): string;
  /**
   * The key that a URL stands for, if it was made here and has not expired.
   * @param name what follows /files/
   */
  verify(name: string, query: { expires?: unknown; signature?: unknown }, now: Date): Verified;
}

export type Verified =
  { state: "valid"; key: string; expiresAt: Date } | { state: "expired" } | { state: "invalid" };

const PATH = "/files/";
/** Only results have URLs: a source belongs to its owner alone. */
const KIND = "outputs/";

/** @param secret whoever knows it can make valid URLs; the same on all servers of one database */
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
      // Compares the strings and not the bytes they encode: several strings decode to the same bytes.
      if (!isEqual(signature, signatureOf(name, expires))) return { state: "invalid" };
      const expiresAt = new Date(Number(expires) * 1000);
      return expiresAt <= now ? { state: "expired" } : { state: "valid", key, expiresAt };
    },
  };
}

/** Takes equally long wherever the strings differ: a signature cannot be guessed character by character. */
function isEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
