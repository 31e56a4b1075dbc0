/** Results in the caller's own bucket: the request's `s3Config`, whose secret is kept only with its job. */
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RetouchError } from "../errors.ts";
import { type BucketTarget, checkBucketTarget } from "./bucket-target.ts";
import type { Bucket, BucketOptions } from "./s3.ts";
import { type BucketNames, isPassing } from "./s3-failures.ts";
import { contentTypeOf, createKey, type Extension } from "./storage.ts";

/** The maximum of signature version 4. A URL works no longer than the key that signed it, so that must be a long-term one. */
const LIFETIME_SECONDS = 7 * 24 * 60 * 60;
/** The S3 client itself tries three times within a second. */
const PAUSES_MS = [1000, 3000, 9000];
/** Not tried again after this time: a server that answers nothing would keep the worker from other jobs. */
const PATIENCE_MS = 30_000;
const DEFAULT_REGION = "us-east-1";
const PICTURE = /\.(png|jpe?g|webp|avif)$/i;
const NAMES: BucketNames = {
  bucket: "s3Config.bucketName",
  endpoint: "s3Config.endpointUrl",
  region: "s3Config.endpointUrl",
  accessKeyId: "s3Config.accessId",
  secretAccessKey: "s3Config.accessSecret",
};

export interface PutOptions {
  agents: BucketOptions["agents"];
  /** Ends the pauses, and then the try before is the last one. */
  signal?: AbortSignal | undefined;
  /** Before each further try, after a fault that may pass. @default 1, 3 and 9 seconds */
  pausesMs?: readonly number[] | undefined;
}

/**
 * Stores one image there. What may pass by itself is tried again for some seconds.
 * @returns a URL that works for 7 days, or until its key is deleted
 * @throws RetouchError INVALID_PARAMETER, BUCKET_UNAVAILABLE; the sentence begins with the field in question
 */
export async function putInBucket(
  target: BucketTarget,
  bytes: Uint8Array,
  extension: Extension,
  options: PutOptions,
): Promise<string> {
  const [url] = await putAllInBucket(target, [bytes], extension, options);
  return url!;
}

/**
 * Stores several images there, and a map beside each, or none of all: if one fails, or `signal` aborts in between, those
 * before it are deleted again.
 * @param options.maps PNG files, of every image or none @default none
 * @returns the URLs of the images, then those of the maps @throws as {@link putInBucket}
 */
export async function putAllInBucket(
  target: BucketTarget,
  images: readonly Uint8Array[],
  extension: Extension,
  { maps = [], ...options }: PutOptions & { maps?: readonly Uint8Array[] | undefined },
): Promise<string[]> {
  const bucket = await openBucket(target, options);
  const names = images.map((_, index) =>
    objectName(target.objectPath, extension, images.length > 1 ? index + 1 : undefined),
  );
  const type = contentTypeOf(`.${extension}`);
  const files = [
    ...names.map((name, index) => ({ name, type, bytes: () => images[index]! })),
    ...maps.map((bytes, index) => ({ name: mapName(names[index]!), type: MAP_TYPE, bytes: () => bytes })),
  ];
  const stored: string[] = [];
  const urls: string[] = [];
  try {
    for (const [index, { name, type: ofFile, bytes }] of files.entries()) {
      if (index > 0) options.signal?.throwIfAborted();
      stored.push(name);
      urls.push(await putOne(bucket, { name, bytes: bytes(), type: ofFile }, options));
    }
    if (files.length > 1) options.signal?.throwIfAborted();
    return urls;
  } catch (error) {
    // Where its rights do not suffice for that, they stay. Of a single image nothing was there before.
    if (files.length > 1) await Promise.all(stored.map((name) => bucket.delete(name).catch(() => {})));
    throw error;
  }
}

async function openBucket(target: BucketTarget, { agents }: PutOptions): Promise<Bucket> {
  checkBucketTarget(target);
  const endpoint = withoutBucket(target.endpointUrl, target.bucketName);
  // Loaded on demand, as in `open.ts`.
  const { createBucket } = await import("./s3.ts");
  return createBucket({
    bucket: target.bucketName,
    region: regionOf(endpoint),
    endpoint,
    // Given explicitly, so that the SDK never looks for this machine's own credentials.
    credentials: { accessKeyId: target.accessId, secretAccessKey: target.accessSecret },
    agents,
    names: NAMES,
  });
}

async function putOne(
  bucket: Bucket,
  { name, bytes, type }: { name: string; bytes: Uint8Array; type: string },
  { signal, pausesMs = PAUSES_MS }: PutOptions,
): Promise<string> {
  const until = performance.now() + PATIENCE_MS;
  for (let tries = 0; ; tries += 1) {
    try {
      await bucket.put(name, bytes, type);
      return await bucket.presignGet(name, LIFETIME_SECONDS);
    } catch (error) {
      if (!(error instanceof RetouchError)) throw error;
      const pauseMs = pausesMs[tries];
      const isLast = pauseMs === undefined || !isPassing(error.cause) || performance.now() > until;
      // Drops the cause, which a log would print: it holds what was sent and what the server replied.
      const failed = new RetouchError("BUCKET_UNAVAILABLE", error.failure);
      if (isLast || signal?.aborted) throw failed;
      await delay(pauseMs, undefined, { signal }).catch(() => {});
      if (signal?.aborted) throw failed;
    }
  }
}

/** @param number of one of several, which a name of the caller's gets before its ending */
function objectName(objectPath: string | undefined, extension: Extension, number?: number): string {
  const given = (objectPath ?? "").replace(/^\/+/, "");
  if (PICTURE.test(given)) return number === undefined ? given : given.replace(PICTURE, `-${number}$&`);
  return path.posix.join(given, path.posix.basename(createKey("outputs", extension)));
}

const MAP_TYPE = contentTypeOf(".png");

/** Beside its image. */
const mapName = (imageName: string): string => imageName.replace(PICTURE, "-mask.png");

/** Amazon's host names exist in both forms; our requests carry the bucket in the path. */
function withoutBucket(endpointUrl: string, bucketName: string): string {
  const url = new URL(endpointUrl);
  const start = `${bucketName.toLowerCase()}.`;
  if (url.hostname.startsWith(`${start}s3`)) url.hostname = url.hostname.slice(start.length);
  return url.href;
}

/** Host names of Amazon and of others that check the region contain it; most servers accept any. */
function regionOf(endpoint: string): string {
  const { hostname } = new URL(endpoint);
  return (
    /(?:^|\.)s3[.-]([a-z]{2}(?:-[a-z]+)+-\d{1,3}|[a-z]{2}-[a-z]{3}(?=\.scw\.cloud$))\./.exec(hostname)?.[1] ??
    DEFAULT_REGION
  );
}
