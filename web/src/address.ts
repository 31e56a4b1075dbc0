/**
 * Where this page's server is. Nothing here names a host or begins with a slash: people open the page under
 * any URL that leads to the server, including that of a proxy that adds a path prefix.
 */

/** The folder of the page, with a trailing slash: where the server's own paths begin. */
export const home = new URL(".", document.baseURI);

/** @param path such as `openapi.json`, or `/v2/NAME` from the OpenAPI document */
export const addressOf = (path: string): string => new URL(path.replace(/^\//, ""), home).href;

const RESULT = /\/(files\/[^/]+)$/;

/**
 * Where a result is on this page's own server. The server writes its public URL into `image_url`, which this
 * browser may not reach; the signature that makes the URL valid holds under every URL of the server.
 * @returns undefined for a URL that is not a result's
 */
export function ownAddressOf(imageUrl: string): string | undefined {
  if (!URL.canParse(imageUrl)) return undefined;
  const { pathname, search } = new URL(imageUrl);
  const path = RESULT.exec(pathname)?.[1];
  return path === undefined ? undefined : addressOf(path) + search;
}
