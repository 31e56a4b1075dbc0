/**
 * Requests through a proxy, where the environment names one. The platform's `fetch` knows none before Node 24, and where
 * it does, only if a variable of its own is set.
 */
import { EnvHttpProxyAgent, fetch } from "undici";

export interface Proxies {
  /** Address of the proxy for http, and for https where `https` is not given. */
  readonly http?: string | undefined;
  readonly https?: string | undefined;
  /** Hosts that are reached without one, with commas, as NO_PROXY has them. */
  readonly none?: string | undefined;
}

/** The platform's own, or where there is a proxy, one that goes through it. */
export function createFetch({ http = "", https = "", none = "" }: Proxies = {}): typeof globalThis.fetch {
  if (http === "" && https === "") return globalThis.fetch;
  const agent = { httpProxy: http, httpsProxy: https, noProxy: none };
  // Many proxies let tunnels through to the port of https alone.
  const dispatcher = new EnvHttpProxyAgent({ ...agent, proxyTunnel: false });
  return async (input, init) => {
    const address = input instanceof Request ? input.url : input;
    const answer = await fetch(address, { ...(init as object), dispatcher });
    const { status, statusText } = answer;
    // Callers ask whether it is the platform's.
    return new Response(answer.body as ReadableStream | null, {
      status,
      statusText,
      headers: [...answer.headers],
    });
  };
}
