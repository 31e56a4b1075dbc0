/**
 * Which names this server answers to without a key. A page of anybody's can have its own name point to an address of
 * this machine or its network (DNS rebinding), and its visitor's browser then sends calls here as if to that page's
 * server, and lets it read the answers. `Host` tells: browsers write the page's name there. Such a page has no key and
 * no signature, so whoever has one may call this server whatever they like.
 */
import { isIPv4, isIPv6 } from "node:net";
import os from "node:os";
import type { Config } from "../config/settings.ts";
import { RetouchError } from "../errors.ts";
import { partsOfHost } from "./origin.ts";

export type HostSettings = Pick<Config, "host" | "publicUrl" | "allowedHosts">;

/** Whether a `Host` is one of this server's. Without one, which no browser leaves out, the answer is yes. */
export type HostCheck = (host: string | undefined) => boolean;

const SENTENCE = "The Host of the call is none of this server's; RETOUCH_ALLOWED_HOSTS can name it.";

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

/** What an answer is instead of one that the name has no right to. */
export const foreignHost = (): RetouchError => new RetouchError("HOST_UNKNOWN", SENTENCE);

/** No page can make its own name an address. */
const isLiteral = (name: string): boolean =>
  isIPv4(name) || (name.startsWith("[") && isIPv6(name.slice(1, -1)));

/** An entry is a name, or `*.` and a name for all below it, with or without a port; `*` is any. */
function isNamed(entries: readonly string[], name: string, port: string | undefined): boolean {
  return entries.some((entry) => {
    const [wanted = "", wantedPort] = entry.split(":");
    if (wantedPort !== undefined && wantedPort !== (port ?? "80")) return false;
    if (wanted === "*") return true;
    return wanted.startsWith("*.") ? name.endsWith(wanted.slice(1)) : name === wanted;
  });
}

/** Names are the same in capitals, and with the dot that ends a full one. */
const canonical = (name: string): string => name.toLowerCase().replace(/\.$/, "");
