/**
 * Where this page's server is. Nothing here names a host or begins with a slash: people open the page by whichever
 * address leads to the server, also one of a proxy that puts a path in front.
 */

/** The folder of the page, with a slash at the end: where the server's own paths begin. */
export const home = new URL(".", document.baseURI);

/** @param path such as `openapi.json`; of the endpoint's document, `/v2/NAME` */
export const addressOf = (path: string): string => new URL(path.replace(/^\//, ""), home).href;

const RESULT = /\/(files\/[^/]+)$/;

/**
 * Where a result is on this page's own server. The server writes its public address into `image_url`, which this browser
 * may not reach; what makes the address good, its signature, holds at every address of the server.
 * @returns undefined for an address that is none of a result
 */
export function ownAddressOf(imageUrl: string): string | undefined {
  if (!URL.canParse(imageUrl)) return undefined;
  const { pathname, search } = new URL(imageUrl);
  const path = RESULT.exec(pathname)?.[1];
  return path === undefined ? undefined : addressOf(path) + search;
}
