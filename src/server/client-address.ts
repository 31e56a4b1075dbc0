/**
 * Which address a call comes from. A proxy is named in `X-Forwarded-For` by the next one, so only what a trusted proxy
 * wrote can be believed: the client is the last address that no trusted proxy has.
 */
import { BlockList, isIP } from "node:net";
import type { FastifyRequest } from "fastify";

/** @returns whether an address is that of a trusted proxy. @param networks as {@link networks} in `config/` accepts them */
export function createProxyTrust(networks: readonly string[]): (address: string) => boolean {
  const trusted = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const family = familyOf(address);
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  // An IPv4 address counts as such in the form that dual-stack sockets give it, too: ::ffff:192.0.2.1.
  return (address) => isIP(address) !== 0 && trusted.check(address, familyOf(address));
}

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** The client's address; the connection's own where a proxy sent what is no address. */
export function addressOfClient({ ip, raw }: Pick<FastifyRequest, "ip" | "raw">): string | undefined {
  return isIP(ip) === 0 ? raw.socket.remoteAddress : ip;
}
