/** Image downloads, with a limit on everything that the other side controls: bytes, time and redirects. */
import { cutText, failure, RetouchError } from "../errors.ts";
import { connectionFailure } from "../net/failures.ts";
import type { HttpClient } from "../net/http-client.ts";
import { collectBytes, tooLarge } from "./collect.ts";

const MAX_REDIRECTS = 5;
const MAX_NAME_LENGTH = 200;
const MAX_PROTOCOL_LENGTH = 40;

/**
 * Downloads an image from an http or https URL.
 * @param limits.client decides which IP addresses may be connected to
 * @throws RetouchError IMAGE_UNREADABLE (no such host, a status other than 200, more than 5 redirects, too slow),
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
    const isRedirect = [301, 302, 303, 307, 308].includes(status) && location !== undefined;
    // Only a hint (it may be missing or wrong); the actual bytes are counted as they arrive.
    const announced = Number(headers["content-length"] ?? 0);
    if (status === 200 && announced <= maxBytes) return body;
    body.on("error", () => {}).destroy();
    if (status === 200) throw tooLarge(name, maxBytes);
    if (!isRedirect) {
      throw unreadable(name, `the server answered with status ${status}`);
    }
    url = parseUrl(location, url);
  }
  throw unreadable(name, `it redirects more than ${MAX_REDIRECTS} times`);
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
