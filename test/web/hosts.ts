/** Host names other than localhost, which Chromium finds on this machine without a name server. */
import type { Browser } from "playwright-core";
import { launch } from "../../scripts/chromium.ts";

/** Over plain http, pages of these are in no secure context. */
export const HOSTS = ["retouch.test", "other.test"] as const;
export type Host = (typeof HOSTS)[number];

/** Settings of a service that answers by these names. */
export const allowedHosts = { RETOUCH_ALLOWED_HOSTS: HOSTS.join(",") } as const;

export const launchWithHosts = (): Promise<Browser> =>
  launch([`--host-resolver-rules=${HOSTS.map((host) => `MAP ${host} 127.0.0.1`).join(",")}`]);

/** The address of the same server by another name. */
export function byHost(address: string, host: Host | "127.0.0.1" | "localhost"): string {
  const url = new URL(address);
  url.hostname = host;
  return url.origin;
}
