/**
 * Decides which host names this server answers to without a key. Any page can make its own name point to an
 * address of this machine or its network (DNS rebinding); its visitor's browser then sends requests here as
 * if to that page's server, and lets the page read the replies. `Host` gives it away: browsers write the
 * page's name there. Such a page has no key and no signature, so callers that have one may use any host name.
 */
import { isIPv4, isIPv6 } from "node:net";
import os from "node:os";
import type { Config } from "../config/settings.ts";
import { RetouchError } from "../errors.ts";
import { partsOfHost } from "./origin.ts";

export type HostSettings = Pick<Config, "host" | "publicUrl" | "allowedHosts">;

/** Whether a `Host` is one of this server's; true without a `Host`, which no browser leaves out. */
export type HostCheck = (host: string | undefined) => boolean;

const SENTENCE =
  "The Host of the request is not one of this server's names; add it to RETOUCH_ALLOWED_HOSTS.";

/** @param machineName @default the machine's own */
export function createHostCheck(settings: HostSettings, machineName: string = os.hostname()): HostCheck {
  const { host: listening, publicUrl, allowedHosts = [] } = settings;
  const machine = canonical(machineName);
  const short = machine.split(".", 1)[0]!;
  const names = new Set([machine, short, `${short}.local`, canonical(listening), "localhost"]);
  if (publicUrl !== undefined) names.add(canonical(new URL(publicUrl).hostname));
  const entries = allowedHosts.map((entry) => entry.toLowerCase());
  return (host) => {
    if (host === undefined) return true;
    const { name: given, port } = partsOfHost(host) ?? {};
    if (given === undefined) return entries.includes("*");
    const name = canonical(given);
    return names.has(name) || isLiteral(name) || name.endsWith(".localhost") || isNamed(entries, name, port);
  };
}

/** The refusal of a request under a host name that is not this server's. */
export const foreignHost = (): RetouchError => new RetouchError("HOST_UNKNOWN", SENTENCE);

/** No page can use an IP address as its own name. */
const isLiteral = (name: string): boolean =>
  isIPv4(name) || (name.startsWith("[") && isIPv6(name.slice(1, -1)));

/** An entry is a name, or `*.` and a name for all its subdomains, with or without a port; `*` is any name. */
function isNamed(entries: readonly string[], name: string, port: string | undefined): boolean {
  return entries.some((entry) => {
    const [wanted = "", wantedPort] = entry.split(":");
    if (wantedPort !== undefined && wantedPort !== (port ?? "80")) return false;
    if (wanted === "*") return true;
    return wanted.startsWith("*.") ? name.endsWith(wanted.slice(1)) : name === wanted;
  });
}

/** Names are equal whatever their case, with or without the dot that ends a fully qualified one. */
const canonical = (name: string): string => name.toLowerCase().replace(/\.$/, "");
