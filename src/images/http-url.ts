/** Image downloads, with a limit on everything that the other side controls: bytes, time and redirects. */
import { cutText, failure, RetouchError } from "../errors.ts";
import { connectionFailure } from "../net/failures.ts";
import type { HttpClient } from "../net/http-client.ts";
import { locationText, REDIRECTS } from "../net/location.ts";
import { collectBytes, tooLarge } from "./collect.ts";

const MAX_REDIRECTS = 5;
const MAX_NAME_LENGTH = 200;
const MAX_PROTOCOL_LENGTH = 40;

/**
 * Downloads an image from an http or https URL.
 * @param limits.client decides which IP addresses may be connected to
 * @throws RetouchError IMAGE_UNREADABLE (no such host, a status of failure, more than 5 redirects, too slow),
 * IMAGE_TOO_LARGE, ABORTED
 */
export async function readHttpUrl(
  address: string,
  limits: { maxBytes: number; timeoutMs: number; signal?: AbortSignal | undefined; client: HttpClient },
): Promise<{ bytes: Uint8Array; name: string }> {
  const { maxBytes, timeoutMs, client } = limits;
  const url = parseUrl(address);
  const name = nameOf(url);
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = limits.signal ? AbortSignal.any([limits.signal, timeout]) : timeout;
  try {
    const body = await openBody(url, { name, maxBytes, signal, client });
    return { bytes: await collectBytes(body, { name, maxBytes, signal }), name };
  } catch (error) {
    if (error instanceof RetouchError) throw error;
    if (limits.signal?.aborted) throw new RetouchError("ABORTED", "Reading the image was aborted.");
    const reason = timeout.aborted
      ? `it was not complete within ${timeoutMs / 1000} seconds`
      : connectionFailure(error);
    throw unreadable(name, reason, { cause: error });
  }
}

async function openBody(
  start: URL,
  limits: { name: string; maxBytes: number; signal: AbortSignal; client: HttpClient },
): Promise<AsyncIterable<Uint8Array>> {
  const { name, maxBytes, signal, client } = limits;
  let url = start;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const { status, headers, body } = await client.get(url, { signal });
    const { location } = headers;
    const isRedirect = REDIRECTS.has(status) && location !== undefined;
    const isWhole = isWholeAnswer(status, headers["content-range"]);
    // Only a hint (it may be missing or wrong); the actual bytes are counted as they arrive.
    const announced = Number(headers["content-length"] ?? 0);
    if (isWhole && announced <= maxBytes) return body;
    body.on("error", () => {}).destroy();
    if (isWhole) throw tooLarge(name, maxBytes);
    if (!isRedirect) {
      throw unreadable(name, `the server answered with status ${status}`);
    }
    const target = locationText(location);
    if (target === "") throw unreadable(name, "it redirects to an empty address");
    url = parseUrl(target, url);
  }
  throw unreadable(name, `it redirects more than ${MAX_REDIRECTS} times`);
}

/** 203 comes from a proxy that changed the answer; 206 may be all of it, though nobody asked for a part. */
function isWholeAnswer(status: number, range: string | undefined): boolean {
  if (status === 200 || status === 203) return true;
  const [, last, length] = /^bytes\s+0-(\d+)\/(\d+)$/i.exec(range?.trim() ?? "") ?? [];
  return status === 206 && length !== undefined && Number(last) + 1 === Number(length);
}

function parseUrl(address: string, base?: URL): URL {
  const url = URL.canParse(address, base?.href) ? new URL(address, base) : undefined;
  if (url === undefined) throw unreadable(address.slice(0, MAX_NAME_LENGTH), "the address is malformed");
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw unreadable(
      nameOf(base ?? url),
      `it redirects to ${cutText(url.protocol, MAX_PROTOCOL_LENGTH)}, which is not followed`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw unreadable(nameOf(url), "addresses with a user name or password are not supported");
  }
  return url;
}

/** Passwords and the tokens of signed URLs do not belong in messages and logs. */
function nameOf(url: URL): string {
  return `${url.origin}${url.pathname}`.slice(0, MAX_NAME_LENGTH);
}

function unreadable(source: string, reason: string, options?: { cause: unknown }): RetouchError {
  return new RetouchError("IMAGE_UNREADABLE", failure("imageDownload", { source, reason }), options);
}
