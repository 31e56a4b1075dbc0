/** Where clients reach this server, and which addresses are its own. */
import type { FastifyRequest } from "fastify";

const HOST = /^(?<name>[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(?<port>\d{1,5}))?$/i;

/** Name and port of a `Host`; an address of version 6 in its brackets. @returns undefined for what is none */
export function partsOfHost(host: string): { name: string; port: string | undefined } | undefined {
  const { name, port } = HOST.exec(host)?.groups ?? {};
  return name === undefined ? undefined : { name, port };
}

/** The origin that a call came in by, without a slash at the end. Never wrong in form: `Host` is anybody's text. */
export function originOf({ protocol, host, raw }: FastifyRequest): string {
  const origin = `${protocol}://${host}`;
  if (HOST.test(host) && URL.canParse(origin)) return origin;
  const { localAddress = "127.0.0.1", localPort = 80, localFamily } = raw.socket;
  return `${protocol}://${localFamily === "IPv6" ? `[${localAddress}]` : localAddress}:${localPort}`;
}

/**
 * The part of an address after one of `bases`: path and query.
 * @returns undefined for an address elsewhere
 */
export function ownPart(address: string, bases: readonly string[]): URL | undefined {
  const { href } = new URL(address);
  for (const base of bases) {
    // Parsed as well: `HTTP://HOST:80` is written in one way only after that.
    const start = `${new URL(base).href.replace(/\/$/, "")}/`;
    if (href.startsWith(start)) return new URL(`http://own/${href.slice(start.length)}`);
  }
  return undefined;
}
