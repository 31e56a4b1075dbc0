/** HTTP to URLs from outside: it follows no redirects, uses no proxy, and bounds everything. */
import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";
import { version } from "../version.ts";
import type { Agents } from "./agents.ts";
import { decoded } from "./content-encoding.ts";
import type { Asker } from "./resolve.ts";

export interface HttpAnswer {
  status: number;
  headers: IncomingMessage["headers"];
  /** Decompressed if the other side compresses without being asked. Must be read or destroyed. */
  body: Readable;
}

export interface HttpClient {
  get(url: URL, options: { signal: AbortSignal }): Promise<HttpAnswer>;
  /** Sends a body to a URL that is used byte for byte, and reads only the status of the response. */
  post(
    address: string,
    body: Uint8Array,
    options: {
      headers: Record<string, string>;
      timeoutMs: number;
      /** On whose behalf: names that take long to look up delay only those of the same lane. */
      lane?: string | undefined;
    },
  ): Promise<{ status: number }>;
}

const MAX_HEADER_BYTES = 16 * 1024;
const USER_AGENT = `Retouch/${version}`;

/** @param agents guarded ones; omitted for the user's own URLs */
export function createHttpClient(agents?: Agents): HttpClient {
  function open(
    url: URL,
    options: {
      method: string;
      headers: Record<string, string>;
      signal: AbortSignal;
      path?: string;
      asker?: Asker;
    },
  ): ClientRequest {
    const isSecure = url.protocol === "https:";
    const agent = isSecure ? agents?.httpsAgent : agents?.httpAgent;
    const all = { agent, maxHeaderSize: MAX_HEADER_BYTES, ...options };
    return isSecure ? httpsRequest(url, all) : httpRequest(url, all);
  }

  return {
    async get(url, { signal }) {
      const headers = {
        "user-agent": USER_AGENT,
        accept: "image/*, */*;q=0.1",
        "accept-encoding": "identity",
      };
      const answer = await answered(() => open(url, { method: "GET", headers, signal }));
      try {
        const body = decoded(answer, answer.headers["content-encoding"]);
        return { status: answer.statusCode ?? 0, headers: answer.headers, body };
      } catch (error) {
        answer.destroy();
        throw error;
      }
    },

    async post(address, body, { headers, timeoutMs, lane }) {
      const url = new URL(address);
      const signal = AbortSignal.timeout(timeoutMs);
      const answer = await answered(
        () =>
          open(url, {
            method: "POST",
            path: requestTarget(address, url),
            headers: { "user-agent": USER_AGENT, "content-length": String(body.byteLength), ...headers },
            signal,
            asker: { lane, signal },
          }),
        body,
      );
      answer.destroy();
      return { status: answer.statusCode ?? 0 };
    },
  };
}

/**
 * Path and query exactly as given: receivers compare secrets in them, and the URL class rewrites some characters. Only
 * characters that are illegal in a request are encoded, and unusual URL spellings are left to the class.
 */
function requestTarget(address: string, url: URL): string {
  const given = /^https?:\/\/[^/?#\\\s]+([/?][^#\\\s]*)?(?:#|$)/i.exec(address);
  if (given === null) return url.pathname + url.search;
  // Converted through a buffer, which replaces lone surrogates; encodeURIComponent would throw.
  const target = (given[1] ?? "").replaceAll(/[^\x21-\x7e]+/g, (text) =>
    encodeURIComponent(Buffer.from(text).toString()),
  );
  return target.startsWith("/") ? target : `/${target}`;
}

/** Errors thrown at once, such as for a malformed request, reject the promise like later ones. */
function answered(open: () => ClientRequest, body?: Uint8Array): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = open();
    request.on("error", reject);
    // Node silently drops a host that switches protocols, and the signal does not wake a closed request.
    request.on("close", () => reject(Object.assign(new Error("no answer"), { code: "ECONNRESET" })));
    request.on("response", (answer) => {
      // Once the response is there, its stream reports errors.
      request.off("error", reject);
      request.on("error", () => {});
      resolve(answer);
    });
    request.end(body);
  });
}
