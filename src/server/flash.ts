/**
 * Queues of Runpod's Python client from 2.0 on (`runpod.Queue`): one path for all endpoints, and the endpoint in a header,
 * by its id. Its classic `runpod.Endpoint` has the endpoint in the path.
 */
import type { IncomingMessage } from "node:http";

const NAME = "flash";
const PATH = /^\/+v2\/+flash(?=\/)/;
const HEADER = "x-flash-endpoint";

/** The path with the endpoint in it; any other path as it is, and that of an endpoint that is not here. */
export function rewriteFlash(
  { url = "/", headers }: Pick<IncomingMessage, "url" | "headers">,
  endpointIds: readonly string[],
): string {
  const wanted = headers[HEADER];
  if (endpointIds.includes(NAME) || !endpointIds.includes(String(wanted))) return url;
  return url.replace(PATH, `/v2/${wanted as string}`);
}
