/** The keys whose receipts a user trusts. */
import { loadReceiptKey } from "../../config/config.ts";
import { type PublicJwk, readPublicKeys, readSigningKey, RetouchError } from "../../index.ts";
import { oneLine } from "../report.ts";
import { readText } from "./small-text.ts";

const MAX_KEYS = 32;

/**
 * @param places files or http(s) URLs of public keys, each in PEM, as a JWK or as a set of them
 * @returns these, or without any the public half of RETOUCH_RECEIPT_KEY
 * @throws RetouchError RECEIPT_INVALID for a place without a key, CONFIG_INVALID
 */
export async function trustedKeys(places: readonly string[], signal: AbortSignal): Promise<PublicJwk[]> {
  if (places.length === 0) {
    const own = loadReceiptKey();
    return own === undefined ? [] : [readSigningKey(own)!.publicJwk];
  }
  const keys: PublicJwk[] = [];
  for (const place of places) {
    const found = readPublicKeys(await readText("The key", place, signal));
    if (found.length === 0) {
      const sentence = `${oneLine(place.slice(0, 300))} has no Ed25519 key, in PEM or as JWK.`;
      throw new RetouchError("RECEIPT_INVALID", sentence);
    }
    keys.push(...found.slice(0, MAX_KEYS));
  }
  return keys;
}
