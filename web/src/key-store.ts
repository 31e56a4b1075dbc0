/** The API key in this browser: in its `localStorage`, or, where pages may keep nothing, as long as the page is open. */

const NAME = "retouch.key";

let unkept: string | undefined;

/** Empty where there is none. */
export function readKey(): string {
  try {
    return localStorage.getItem(NAME) ?? unkept ?? "";
  } catch {
    return unkept ?? "";
  }
}

/** Keeps a key in the place of the one before; undefined forgets it. */
export function writeKey(key: string | undefined): void {
  unkept = undefined;
  try {
    if (key === undefined) localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, key);
  } catch {
    unkept = key;
  }
}
