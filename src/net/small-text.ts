/** A short text from a URL of the user's own: nothing is followed, and everything is bounded. */
import { createHttpClient } from "./http-client.ts";

const TIMEOUT_MS = 10_000;

/** @throws Error with the reason, as it continues a sentence after a colon */
export async function readSmallText(url: URL, maxBytes: number, signal: AbortSignal): Promise<string> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const { status, body } = await createHttpClient().get(url, { signal: bounded });
  try {
    if (status !== 200) throw new Error(`the server answered with status ${status}`);
    const parts: Buffer[] = [];
    let count = 0;
    for await (const part of body) {
      count += (part as Buffer).byteLength;
      if (count > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
      parts.push(part as Buffer);
    }
    return Buffer.concat(parts).toString("utf8");
  } finally {
    body.on("error", () => {}).destroy();
  }
}
