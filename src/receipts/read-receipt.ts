/** Receipts from outside: any text, of which one sentence says what is wrong, or whose every member is as it must be. */
import { RetouchError } from "../errors.ts";
import { isSignedBy, type PublicJwk } from "./keys.ts";
import { type Receipt, RECEIPT_TYPE, RECEIPT_VERSION, signedBytes } from "./receipt.ts";

/** The longest that an edit makes has some thousand characters, with names of 255 bytes. */
export const MAX_RECEIPT_CHARACTERS = 65_536;
const MAX_DEPTH = 8;
const MAX_NAME = 1000;
const MAX_TEXT = 4000;
const MAX_LIST = 64;

type Check = (value: unknown) => boolean;

const isText =
  (max: number): Check =>
  (value) =>
    typeof value === "string" && value.length <= max;
const matches =
  (expression: RegExp): Check =>
  (value) =>
    typeof value === "string" && value.length <= MAX_NAME && expression.test(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isScale: Check = (value) => typeof value === "number" && Number.isFinite(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length <= MAX_LIST && value.every(check);
const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isMapOf =
  (check: Check): Check =>
  (value) =>
    isPlain(value) && Object.keys(value).length <= MAX_LIST && Object.values(value).every(check);
const has =
  (members: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isPlain(value) && Object.entries(members).every(([name, check]) => check(value[name]));

const isSha256 = matches(/^[0-9a-f]{64}$/);
const isFile = has({ sha256: isSha256, bytes: isCount });
const isAny: Check = () => true;

const MEMBERS: Readonly<Record<string, Check>> = {
  type: (value) => value === RECEIPT_TYPE,
  version: (value) => value === RECEIPT_VERSION,
  program: isText(MAX_NAME),
  checkpoint: has({ name: isText(MAX_TEXT), digest: isText(MAX_NAME) }),
  graph: isSha256,
  weights: isMapOf(isText(MAX_NAME)),
  arithmetic: isText(MAX_NAME),
  runtime: isText(MAX_NAME),
  device: isText(MAX_NAME),
  processor: isText(MAX_TEXT),
  tiles: isText(MAX_NAME),
  referenceCache: optional(isText(MAX_NAME)),
  loras: isListOf(
    has({ name: isText(MAX_TEXT), scale: isScale, sha256: matches(/^[0-9a-f]{64}(?::[0-9a-f]{64})?$/) }),
  ),
  inputs: isListOf(isFile),
  mask: optional(isFile),
  tensors: optional(isMapOf(isSha256)),
  parameters: isMapOf(isAny),
  seed: isCount,
  noise: has({
    generator: isText(MAX_NAME),
    sha256: optional(isSha256),
    batch: optional(has({ index: isCount, of: isCount })),
  }),
  reuse: optional(isPlain),
  result: has({
    format: isText(MAX_NAME),
    width: isCount,
    height: isCount,
    pixels: isSha256,
    metadata: isSha256,
  }),
  file: optional(isFile),
  signature: optional(
    has({
      algorithm: (value) => value === "Ed25519",
      key: matches(/^[A-Za-z0-9_-]{43}$/),
      value: isText(MAX_NAME),
    }),
  ),
};

/** @throws RetouchError RECEIPT_INVALID */
export function readReceipt(text: string): Receipt {
  if (text.length > MAX_RECEIPT_CHARACTERS) {
    throw unusable(`The receipt has more than ${MAX_RECEIPT_CHARACTERS} characters.`);
  }
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw unusable("The receipt is not JSON.", { cause });
  }
  if (!isPlain(given)) throw unusable("The receipt is not a JSON object.");
  if (!isShallow(given)) throw unusable(`The receipt is nested more than ${MAX_DEPTH} deep.`);
  if (given["type"] === RECEIPT_TYPE && given["version"] !== RECEIPT_VERSION) {
    throw unusable(`The receipt is of another version than ${RECEIPT_VERSION}.`);
  }
  for (const [name, check] of Object.entries(MEMBERS)) {
    if (!check(given[name])) throw unusable(`The receipt has no ${name} as a receipt has it.`);
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(MEMBERS, name));
  if (unknown !== undefined) throw unusable("The receipt has members that no receipt has.");
  return given as unknown as Receipt;
}

/** Goes down level by level: a receipt from outside may be nested deeper than calls can be. */
function isShallow(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    level = level.flatMap((one) => (typeof one === "object" && one !== null ? Object.values(one) : []));
    if (level.length === 0) return true;
  }
  return false;
}

/**
 * Whose receipt it is.
 * @param keys those that are trusted
 * @returns the key that signed it; undefined if nobody did
 * @throws RetouchError RECEIPT_INVALID for one of another key, or that was changed since it was signed
 */
export function signerOf(receipt: Receipt, keys: readonly PublicJwk[]): PublicJwk | undefined {
  const { signature } = receipt;
  if (signature === undefined) return undefined;
  const key = keys.find(({ kid }) => kid === signature.key);
  if (key === undefined) {
    throw unusable(`The receipt is signed with a key that is not known here: ${signature.key}.`);
  }
  if (!isSignedBy(key, signedBytes(receipt), signature.value)) {
    throw unusable("The receipt was changed since it was signed: its signature does not fit.");
  }
  return key;
}

const unusable = (sentence: string, options?: { cause: unknown }): RetouchError =>
  new RetouchError("RECEIPT_INVALID", sentence, options);
