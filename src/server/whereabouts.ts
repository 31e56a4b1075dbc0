/** Where a missing field went: clients put it on another level of the body, or spell it otherwise. */
import { shownValue } from "../errors.ts";

const MAX_DEPTH = 3;
const MAX_KEYS = 1000;
/** What other services call these fields. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  prompt: ["text", "instruction", "textprompt", "positiveprompt", "editprompt"],
  image: [
    "imageurl",
    "inputimage",
    "initimage",
    "sourceimage",
    "referenceimage",
    "img",
    "picture",
    "photo",
    "file",
  ],
};
/** Fields that only the object itself can have. */
const CONTENT: Readonly<Record<string, readonly string[]>> = { input: ["prompt", "image", "images"] };

/** @returns continues "... is missing; "; undefined if there is no trace of it */
export function whereabouts(path: readonly string[], body: unknown): string | undefined {
  const name = path.at(-1);
  if (name === undefined || !isPlainObject(body)) return undefined;
  const spilt = (CONTENT[name] ?? []).filter((key) => Object.hasOwn(body, key));
  if (spilt.length > 0) return `${spilt.join(" and ")} must be inside of it`;
  const wanted = new Set([name, ...(OTHER_NAMES[name] ?? [])].map(plainName));
  let numKeys = 0;
  let level: { place: string; value: Record<string, unknown> }[] = [{ place: "", value: body }];
  for (let depth = 0; depth <= MAX_DEPTH && numKeys < MAX_KEYS; depth++) {
    const next: typeof level = [];
    for (const { place, value } of level) {
      for (const [key, inner] of Object.entries(value)) {
        if ((numKeys += 1) > MAX_KEYS) return undefined;
        if (wanted.has(plainName(key)) && inner !== null) return `the body has ${shownValue(place + key)}`;
        if (isPlainObject(inner)) next.push({ place: `${place}${key}.`, value: inner });
      }
    }
    level = next;
  }
  return undefined;
}

/** Without case, and without what stands between words. */
const plainName = (key: string): string =>
  key
    .slice(0, 100)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "");

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
