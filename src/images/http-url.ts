/** Downloads of pictures, with a limit on everything that the other side decides: bytes, time and redirects. */
import { RetouchError, messageOf } from "../errors.ts";
import { collectBytes, tooLarge } from "./collect.ts";
import { systemErrorCode } from "./system-error.ts";

const MAX_REDIRECTS = 5;
const MAX_NAME_LENGTH = 200;

/**
 * Downloads a picture from an http or https address.
 * @throws RetouchError IMAGE_UNREADABLE (no such host, a status other than 200, more than 5 redirects, too slow),
 * IMAGE_TOO_LARGE, ABORTED
 */
export async function readHttpUrl(
  address: string,
  limits: { maxBytes: number; timeoutMs: number; signal: AbortSignal | undefined },
): Promise<{ bytes: Uint8Array; name: string }> {
  const { maxBytes, timeoutMs } = limits;
  const url = parseUrl(address);
  const name = nameOf(url);
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = limits.signal ? AbortSignal.any([limits.signal, timeout]) : timeout;
  try {
    const body = await openBody(url, { name, maxBytes, signal });
    return { bytes: await collectBytes(body, { name, maxBytes, signal }), name };
  } catch (error) {
    if (error instanceof RetouchError) throw error;
    if (limits.signal?.aborted) throw new RetouchError("ABORTED", "Reading the image was aborted.");
    const reason = timeout.aborted
      ? `it was not complete within ${timeoutMs / 1000} seconds`
      : connectionFailure(error);
    throw new RetouchError("IMAGE_UNREADABLE", `${name} cannot be downloaded: ${reason}.`, { cause: error });
  }
}

async function openBody(
  start: URL,
  limits: { name: string; maxBytes: number; signal: AbortSignal },
): Promise<AsyncIterable<Uint8Array>> {
  const { name, maxBytes, signal } = limits;
  let url = start;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    // fetch follows up to 20 on its own, also to addresses that are neither http nor https.
    const response = await fetch(url, { signal, redirect: "manual" });
    const location = response.headers.get("location");
    const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
    if (response.status === 200 && response.body !== null) {
      // Only a first guess (it may be missing or wrong); what counts is counted as it arrives.
      if (Number(response.headers.get("content-length")) <= maxBytes) return response.body;
      await response.body.cancel();
      throw tooLarge(name, maxBytes);
    }
    await response.body?.cancel();
    if (!isRedirect) {
      throw unreadable(name, `the server answered with status ${response.status}`);
    }
    url = parseUrl(location, url);
  }
  throw unreadable(name, `it redirects more than ${MAX_REDIRECTS} times`);
}

function parseUrl(address: string, base?: URL): URL {
  const url = URL.canParse(address, base?.href) ? new URL(address, base) : undefined;
  if (url === undefined) throw unreadable(address.slice(0, MAX_NAME_LENGTH), "the address is malformed");
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw unreadable(nameOf(base ?? url), `it redirects to ${url.protocol}, which is not followed`);
  }
  if (url.username !== "" || url.password !== "") {
    throw unreadable(nameOf(url), "addresses with a user name or password are not supported");
  }
  return url;
}

/** Passwords and the tokens of signed addresses do not belong in messages and logs. */
function nameOf(url: URL): string {
  return `${url.origin}${url.pathname}`.slice(0, MAX_NAME_LENGTH);
}

const REASONS: Record<string, string> = {
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the name of the host cannot be looked up now",
  ECONNREFUSED: "the host refuses the connection",
  ECONNRESET: "the host ended the connection",
  UND_ERR_SOCKET: "the host ended the connection",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "it ended before its announced length",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  ETIMEDOUT: "the host does not answer",
  UND_ERR_CONNECT_TIMEOUT: "the host does not answer",
  CERT_HAS_EXPIRED: "the certificate of the host has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate of the host is not trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate of the host is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the certificate of the host is not trusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the certificate of the host is not trusted",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate of the host is for another name",
};

/** fetch says "fetch failed" or "terminated"; what happened is in its cause. */
function connectionFailure(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = systemErrorCode(cause);
  return (code !== undefined && REASONS[code]) || messageOf(cause);
}

function unreadable(name: string, reason: string): RetouchError {
  return new RetouchError("IMAGE_UNREADABLE", `${name} cannot be downloaded: ${reason}.`);
}
