/**
 * The variables of Hugging Face's own tools, read as they read them, so that one cache and one login serve both:
 * https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
import { homedir } from "node:os";
import path from "node:path";
import { RetouchError } from "../errors.ts";

export interface HubSettings {
  /** URL of the hub, without a trailing slash. */
  readonly endpoint: string;
  /** The folder that holds the `models--org--name` folders. */
  readonly cacheFolder: string;
  readonly token: string | undefined;
  /** Where a login stores its token; used if `token` is not given. */
  readonly tokenFile: string;
  /** Whether the network must not be used. */
  readonly isOffline: boolean;
  /** URLs of proxies, and the hosts reached without one, separated by commas. */
  readonly proxies: {
    readonly http: string | undefined;
    readonly https: string | undefined;
    readonly none: string | undefined;
  };
}

const HUB = "https://huggingface.co";
const YES = /^(?:1|ON|YES|TRUE)$/i;

/** @throws RetouchError CONFIG_INVALID for an HF_ENDPOINT or a proxy that is not a URL */
export function readHubSettings(
  environment: Readonly<Record<string, string | undefined>>,
  home: string = homedir(),
): HubSettings {
  const folderOf = (name: string): string | undefined => {
    const given = environment[name];
    return given ? path.resolve(given.replace(/^~(?=$|[/\\])/, home)) : undefined;
  };
  const hubHome =
    folderOf("HF_HOME") ?? path.join(folderOf("XDG_CACHE_HOME") ?? path.join(home, ".cache"), "huggingface");
  return {
    endpoint: endpointOf(environment["HF_ENDPOINT"] || HUB),
    cacheFolder: folderOf("HF_HUB_CACHE") ?? folderOf("HUGGINGFACE_HUB_CACHE") ?? path.join(hubHome, "hub"),
    token: environment["HF_TOKEN"] || environment["HUGGING_FACE_HUB_TOKEN"] || undefined,
    tokenFile: folderOf("HF_TOKEN_PATH") ?? path.join(hubHome, "token"),
    isOffline: YES.test(environment["HF_HUB_OFFLINE"] ?? ""),
    proxies: {
      http: proxyOf("HTTP_PROXY", environment),
      https: proxyOf("HTTPS_PROXY", environment),
      none: environment["no_proxy"] || environment["NO_PROXY"] || undefined,
    },
  };
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new RetouchError("CONFIG_INVALID", "HF_ENDPOINT must be an http or https address without a login.");
  }
  return url.href.replace(/(?<!\/)\/+$/, "");
}

/** As is usual, lower-case variables count before upper-case ones, and a URL may come without http://. */
function proxyOf(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const text = environment[name.toLowerCase()] || environment[name];
  if (!text) return undefined;
  const address = text.includes("://") ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    // Leaves out the URL, which may hold a password.
    throw new RetouchError("CONFIG_INVALID", `${name} must be an http or https address.`);
  }
  return url.href;
}
