/** Stores images that came with a request, results, and states of long edits. Local files and S3 give the same guarantees. */
import { randomBytes } from "node:crypto";

export interface StoredObject {
  bytes: Uint8Array;
  contentType: string;
}

export interface ObjectEntry {
  key: string;
  modifiedAt: Date;
}

export interface Storage {
  /** Stores bytes whole or not at all. @throws RetouchError OUTPUT_UNWRITABLE, STORAGE_UNAVAILABLE */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** @returns undefined if there is no such object @throws RetouchError STORAGE_UNAVAILABLE */
  get(key: string): Promise<StoredObject | undefined>;
  /** Succeeds if there is nothing to delete. */
  delete(key: string): Promise<void>;
  /** All objects of one kind. */
  list(kind: ObjectKind): AsyncIterable<ObjectEntry>;
  /** Checks at the start of the service that it is writable. @throws RetouchError STORAGE_UNAVAILABLE */
  check(): Promise<void>;
}

/** Sources, results, and the states of edits that take long, which are never served. */
export const OBJECT_KINDS = ["inputs", "outputs", "states"] as const;
export type ObjectKind = (typeof OBJECT_KINDS)[number];
export type Extension = "png" | "jpeg" | "bin";

/** 192 bits: a name cannot be guessed. */
const NAME_BYTES = 24;
const KEY = /^(inputs|outputs|states)\/[A-Za-z0-9_-]{32}\.(png|jpeg|bin)$/;

const CONTENT_TYPES: Record<Extension, string> = {
  png: "image/png",
  jpeg: "image/jpeg",
  bin: "application/octet-stream",
};

/** A new key that nobody can guess. Keys are made only here; no string from outside becomes one unchecked. */
export function createKey(kind: ObjectKind, extension: Extension): string {
  return `${kind}/${randomBytes(NAME_BYTES).toString("base64url")}.${extension}`;
}

export const isKey = (text: string): boolean => KEY.test(text);

/** @throws Error for what is not one of our keys: a defect, never something that a user can cause */
export function checkKey(key: string): void {
  if (!isKey(key)) throw new Error("Not a key of the storage.");
}

export function contentTypeOf(key: string): string {
  return CONTENT_TYPES[key.slice(key.lastIndexOf(".") + 1) as Extension];
}
