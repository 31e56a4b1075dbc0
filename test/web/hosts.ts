/** Host names other than localhost, which Chromium finds on this machine without a name server. */
import type { Browser } from "playwright-core";
import { launch } from "../../scripts/chromium.ts";
import { SETTINGS } from "../../src/config/settings.ts";

/** Over plain http, pages of these are in no secure context. */
export const HOSTS = ["retouch.test", "other.test"] as const;
export type Host = (typeof HOSTS)[number];

const ALLOWED = "RETOUCH_ALLOWED_HOSTS";

/** Settings of a service that answers by these names, where it has to be told them. */
export const allowedHosts: Readonly<Record<string, string>> = Object.values(SETTINGS).some(
  ({ variable }) => variable === ALLOWED,
)
  ? { [ALLOWED]: HOSTS.join(",") }
  : {};

export const launchWithHosts = (): Promise<Browser> =>
  launch([`--host-resolver-rules=${HOSTS.map((host) => `MAP ${host} 127.0.0.1`).join(",")}`]);

/** The address of the same server by another name. */
export function byHost(address: string, host: Host | "127.0.0.1" | "localhost"): string {
  const url = new URL(address);
  url.hostname = host;
  return url.origin;
}
