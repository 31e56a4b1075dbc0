/** Where clients reach this server, and which URLs are its own. */
import type { FastifyRequest } from "fastify";

const HOST = /^(?<name>[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(?<port>\d{1,5}))?$/i;

/** Name and port of a `Host`; an IPv6 address keeps its brackets. @returns undefined if it is malformed */
export function partsOfHost(host: string): { name: string; port: string | undefined } | undefined {
  const { name, port } = HOST.exec(host)?.groups ?? {};
  return name === undefined ? undefined : { name, port };
}

/** The origin of a request, without a trailing slash. Always well-formed, although `Host` may be anything. */
export function originOf({ protocol: stated, headers, raw }: FastifyRequest): string {
  // What a trusted proxy says may be anything; the host is the one that was checked.
  const protocol = stated === "https" ? stated : "http";
  const { host = "" } = headers;
  const origin = `${protocol}://${host}`;
  if (HOST.test(host) && URL.canParse(origin)) return origin;
  const { localAddress = "127.0.0.1", localPort = 80, localFamily } = raw.socket;
  return `${protocol}://${localFamily === "IPv6" ? `[${localAddress}]` : localAddress}:${localPort}`;
}

/**
 * The part of a URL after one of `bases`: path and query.
 * @returns undefined for a URL elsewhere
 */
export function ownPart(address: string, bases: readonly string[]): URL | undefined {
  const { href } = new URL(address);
  for (const base of bases) {
    // The base is parsed as well, which normalizes spellings such as `HTTP://HOST:80`.
    const start = `${new URL(base).href.replace(/\/$/, "")}/`;
    if (href.startsWith(start)) return new URL(`http://own/${href.slice(start.length)}`);
  }
  return undefined;
}
