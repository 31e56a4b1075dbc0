/** Downloads an image for a caller who waits, by the rules of sources; nothing is stored. */
import type { Config } from "../config/settings.ts";
import { readHttpUrl } from "../images/http-url.ts";
import type { HttpClient } from "../net/http-client.ts";

/**
 * @param client decides which addresses may be connected to
 * @returns a function that throws RetouchError IMAGE_UNREADABLE, IMAGE_TOO_LARGE, ABORTED
 */
export function createDownload(
  client: HttpClient,
  { imageMaxBytes: maxBytes, imageTimeoutMs: timeoutMs }: Pick<Config, "imageMaxBytes" | "imageTimeoutMs">,
): (url: string, signal: AbortSignal) => Promise<Uint8Array> {
  return async (url, signal) => (await readHttpUrl(url, { maxBytes, timeoutMs, signal, client })).bytes;
}
