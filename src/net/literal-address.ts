/**
 * What an address shows by itself, before any name is looked up: the URL class has read every spelling of an IP address
 * (decimal, octal, hexadecimal, wide digits) into the usual one. Names that lead inside are refused when they are
 * connected to (`agents.ts`).
 */
import { isIP } from "node:net";
import type { AddressPolicy } from "./address-policy.ts";

/** Names that stand for this machine wherever they are asked for (RFC 6761, 6.3). */
const LOOPBACK_NAME = /(^|\.)localhost\.*$/;
const LOOPBACK_ADDRESSES = ["127.0.0.1", "::1"];

/** Whether no connection to an http or https address could ever be allowed. */
export function isRefusedLiterally(policy: AddressPolicy, { protocol, hostname, port }: URL): boolean {
  // Brackets are how URLs mark IPv6.
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const target = { hostname: host, port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port) };
  if (isIP(host) !== 0) return !policy.isAllowed(host, target);
  if (!LOOPBACK_NAME.test(host)) return false;
  return LOOPBACK_ADDRESSES.every((address) => !policy.isAllowed(address, target));
}
