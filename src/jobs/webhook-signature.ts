/** The headers of a webhook: sender and number of the try, and proof that nobody changed or replayed it. */
import { createHmac } from "node:crypto";
import { version } from "../version.ts";

export interface WebhookMessage {
  /** The same for every try. Has no dot, which would let one part of the signed content pass for another. */
  id: string;
  body: Uint8Array;
  /** 1 for the first try. */
  attempt: number;
  /** Time of this try. */
  time: Date;
}

/** Secrets beside those of the owner's key; each signs the body alone, in a header of its own. */
export interface OtherSecrets {
  /** The operator's. */
  shared?: string | undefined;
  /** Of the call, as black-forest-labs' API has it. */
  ofCall?: string | undefined;
}

/**
 * The headers of one try.
 * @param secrets of the owner's key, newest first: each signs as https://www.standardwebhooks.com specifies
 */
export function webhookHeaders(
  { id, body, attempt, time }: WebhookMessage,
  secrets: readonly string[],
  { shared, ofCall }: OtherSecrets = {},
): Record<string, string> {
  const timestamp = Math.floor(time.getTime() / 1000);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "user-agent": `Retouch/${version}`,
    "x-retouch-attempt": String(attempt),
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
  };
  if (secrets.length > 0) {
    const signed = `${id}.${timestamp}.`;
    headers["webhook-signature"] = secrets.map((secret) => `v1,${macOf(secret, signed, body)}`).join(" ");
  }
  if (shared !== undefined) headers["x-retouch-signature"] = digestOf(shared, body);
  if (ofCall !== undefined) headers["x-bfl-signature"] = digestOf(ofCall, body);
  return headers;
}

function macOf(secret: string, signed: string, body: Uint8Array): string {
  const key = Buffer.from(secret.slice(secret.indexOf("_") + 1), "base64");
  return createHmac("sha256", key).update(signed).update(body).digest("base64");
}

const digestOf = (secret: string, body: Uint8Array): string =>
  `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
