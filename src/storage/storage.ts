/** Stores images that came with a request, results, and states of long edits. Local files and S3 give the same guarantees. */
import type { OutputFormat } from "../images/output-format.ts";
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
  /**
   * Stores bytes whole or not at all.
   * @throws RetouchError DISK_FULL, OUTPUT_UNWRITABLE, STORAGE_UNAVAILABLE
   */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /**
   * @returns undefined if the storage works and there is no such object
   * @throws RetouchError STORAGE_UNAVAILABLE
   */
  get(key: string): Promise<StoredObject | undefined>;
  /** Succeeds if there is nothing to delete. */
  delete(key: string): Promise<void>;
  /** The time by which the storage stamps objects. @throws RetouchError */
  readClock(): Promise<Date>;
  /** All objects of one kind. */
  list(kind: ObjectKind): AsyncIterable<ObjectEntry>;
  /** Creates what is missing, at the start of the service, and checks it. @throws RetouchError STORAGE_UNAVAILABLE */
  prepare(): Promise<void>;
  /**
   * Checks that it works, by storing, reading and deleting something. Creates no folder: where one has gone, a
   * disk may not be mounted.
   * @param bytes how large that something is, for a storage that is nearly full @default 1
   * @throws RetouchError STORAGE_UNAVAILABLE
   */
  check(bytes?: number): Promise<void>;
}

/**
 * Sources, results that have addresses, results that have none since they are shown as data URLs, and the states of edits
 * that take long, which are never served.
 */
export const OBJECT_KINDS = ["inputs", "outputs", "inline", "states"] as const;
export type ObjectKind = (typeof OBJECT_KINDS)[number];
export type Extension = OutputFormat | "bin";

/** 192 bits: a name cannot be guessed. */
const NAME_BYTES = 24;
const KEY = /^(inputs|outputs|inline|states)\/[A-Za-z0-9_-]{32}\.(png|jpeg|webp|avif|bin)$/;

const CONTENT_TYPES: Record<Extension, string> = {
  png: "image/png",
  jpeg: "image/jpeg",
  webp: "image/webp",
  avif: "image/avif",
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
