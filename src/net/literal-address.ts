/**
 * What a URL's host reveals by itself, before any name is looked up: the URL class has normalised every spelling of an
 * IP address (decimal, octal, hexadecimal, full-width digits). Names that lead inside are refused when they are
 * connected to (`agents.ts`).
 */
import { isIP } from "node:net";
import type { AddressPolicy } from "./address-policy.ts";

/** Names that mean this machine everywhere (RFC 6761, 6.3). */
const LOOPBACK_NAME = /(^|\.)localhost\.*$/;
const LOOPBACK_ADDRESSES = ["127.0.0.1", "::1"];

/** Whether no connection to an http or https URL could ever be allowed. */
export function isRefusedLiterally(policy: AddressPolicy, { protocol, hostname, port }: URL): boolean {
  // URLs put IPv6 addresses in brackets.
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const target = { hostname: host, port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port) };
  if (isIP(host) !== 0) return !policy.isAllowed(host, target);
  if (!LOOPBACK_NAME.test(host)) return false;
  return LOOPBACK_ADDRESSES.every((address) => !policy.isAllowed(address, target));
}
