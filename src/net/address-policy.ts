/**
 * Which IP addresses an outside request may make this server connect to: public ones, and those that the operator
 * allowed. Without this, anyone with an API key could reach the machine's own network through an image's URL.
 */
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { failure, RetouchError } from "../errors.ts";

export interface AddressPolicy {
  isAllowed(address: string, target: Target): boolean;
  /** The setting that allows other addresses, for error messages. @default "RETOUCH_ALLOW_PRIVATE_HOSTS" */
  readonly setting?: string | undefined;
}

export interface Target {
  /** As written in the URL, without brackets. */
  hostname: string;
  port: number;
}

type Rule = (address: Address, target: Target) => boolean;
type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** The service's setting that allows other addresses. */
export const ALLOWING_SETTING = "RETOUCH_ALLOW_PRIVATE_HOSTS";
/** 64:ff9b::/96 carries an IPv4 address in its last four bytes, which a gateway connects to. */
const NAT64_BYTES = [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
/** A public address by its number, but on Azure it serves each virtual machine its own private data. */
const AZURE_PLATFORM = "168.63.129.16";

/**
 * Allows public addresses, and everything that an entry names: a host, `*.suffix`, an address or a network
 * (`10.0.0.0/8`), each but the last with or without a port (`host:port`, `[::1]:port`).
 * @param setting where the entries come from, for error messages
 * @throws RetouchError CONFIG_INVALID for an entry that is none of these
 */
export function createAddressPolicy(
  entries: readonly string[],
  setting: string = ALLOWING_SETTING,
): AddressPolicy {
  const rules = entries.map((entry) => parseEntry(entry, () => malformed(entry, setting)));
  return {
    setting,
    isAllowed(text, target) {
      // A zone ("fe80::1%eth0") only ever belongs to a link-local address.
      if (isIP(text) === 0 || text.includes("%")) return false;
      const address = unwrapped(text);
      return isPublic(address) || rules.some((rule) => rule(address, target));
    },
  };
}

/** Unicast on the public internet: `ipaddr.js` has a separate name for every other range. */
function isPublic(address: Address): boolean {
  if (address.range() !== "unicast") return false;
  if (address.kind() === "ipv4") return address.toString() !== AZURE_PLATFORM;
  // Only 2000::/3 is allocated; the rest holds old notations for IPv4, and addresses that nobody should answer at.
  return (address.toByteArray()[0]! & 0xe0) === 0x20;
}

/** The IPv4 address embedded in an IPv6 one, since that is what is connected to in the end. */
function unwrapped(text: string): Address {
  const address = ipaddr.parse(text);
  if (!(address instanceof ipaddr.IPv6)) return address;
  // `ipaddr.js` reads the long-abandoned "::8.8.8.8" as if it were mapped, but nothing connects to 8.8.8.8 through it.
  if (/^::\d+\./.test(text)) return ipaddr.parse("::");
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  const bytes = address.toByteArray();
  const isNat64 = NAT64_BYTES.every((byte, index) => bytes[index] === byte);
  return isNat64 ? new ipaddr.IPv4(bytes.slice(12)) : address;
}

function parseEntry(entry: string, refusal: () => RetouchError): Rule {
  if (entry.includes("/")) return networkRule(entry, refusal);
  const match = /^(?:\[(?<ip6>[^\]]+)\]|(?<host>[^:]+))(?::(?<port>\d{1,5}))?$/.exec(
    isIP(entry) === 6 ? `[${entry}]` : entry,
  );
  const { ip6, host, port } = match?.groups ?? {};
  if (match === null || (port !== undefined && (Number(port) === 0 || Number(port) > 65_535))) {
    throw refusal();
  }
  const isHost = ip6 === undefined ? hostRule(host!, refusal) : addressRule(ip6, refusal);
  return (address, target) => (port === undefined || Number(port) === target.port) && isHost(address, target);
}

function hostRule(host: string, refusal: () => RetouchError): Rule {
  if (isIP(host) === 4) return addressRule(host, refusal);
  const name = canonical(host);
  // A name that ends in a number is an address in disguise (127.1, 0x7f.1), which URLs write differently.
  if (!/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) || /(^|\.)(\d+|0x[0-9a-f]*)$/.test(name)) {
    throw refusal();
  }
  if (name.startsWith("*.")) return (_, { hostname }) => canonical(hostname).endsWith(name.slice(1));
  return (_, { hostname }) => canonical(hostname) === name;
}

/** Names ignore case, and the trailing dot of a fully qualified name. */
function canonical(hostname: string): string {
  return hostname.toLowerCase().replace(/\.$/, "");
}

function addressRule(text: string, refusal: () => RetouchError): Rule {
  if (isIP(text) === 0 || text.includes("%")) throw refusal();
  const allowed = unwrapped(text).toNormalizedString();
  return (address) => address.toNormalizedString() === allowed;
}

function networkRule(entry: string, refusal: () => RetouchError): Rule {
  // The library would read "10/8" as 0.0.0.10/8.
  if (isIP(entry.slice(0, entry.indexOf("/"))) === 0 || !ipaddr.isValidCIDR(entry)) throw refusal();
  const [network, bits] = ipaddr.parseCIDR(entry);
  return (address) => address.kind() === network.kind() && address.match(network, bits);
}

function malformed(entry: string, setting: string): RetouchError {
  const values = { field: setting, given: JSON.stringify(entry) };
  return new RetouchError("CONFIG_INVALID", failure("hosts", values));
}
