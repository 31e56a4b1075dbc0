/**
 * Requests through a proxy, if the environment names one. Before Node 24 the platform's `fetch` supports none, and
 * since then it does only if a separate variable is set.
 */
import { EnvHttpProxyAgent, fetch } from "undici";

export interface Proxies {
  /** URL of the proxy for http, and also for https if `https` is not given. */
  readonly http?: string | undefined;
  readonly https?: string | undefined;
  /** Hosts reached without a proxy, separated by commas, as in NO_PROXY. */
  readonly none?: string | undefined;
}

/** The platform's own `fetch` or, if there is a proxy, one that goes through it. */
export function createFetch({ http = "", https = "", none = "" }: Proxies = {}): typeof globalThis.fetch {
  if (http === "" && https === "") return globalThis.fetch;
  const agent = { httpProxy: http, httpsProxy: https, noProxy: none };
  // Many proxies allow tunnels only to the https port.
  const dispatcher = new EnvHttpProxyAgent({ ...agent, proxyTunnel: false });
  return async (input, init) => {
    const address = input instanceof Request ? input.url : input;
    const answer = await fetch(address, { ...(init as object), dispatcher });
    const { status, statusText } = answer;
    // Callers check whether the response is an instance of the platform's class.
    return new Response(answer.body as ReadableStream | null, {
      status,
      statusText,
      headers: [...answer.headers],
    });
  };
}
