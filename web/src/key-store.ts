/** Keeps the API key in `localStorage`, or, if pages may store nothing, for as long as the page is open. */

const NAME = "retouch.key";

let unkept: string | undefined;

/** Empty if there is none. */
export function readKey(): string {
  try {
    return localStorage.getItem(NAME) ?? unkept ?? "";
  } catch {
    return unkept ?? "";
  }
}

/** Stores a key instead of the previous one; undefined deletes it. */
export function writeKey(key: string | undefined): void {
  unkept = undefined;
  try {
    if (key === undefined) localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, key);
  } catch {
    unkept = key;
  }
}
