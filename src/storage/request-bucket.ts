/** Results in the caller's own bucket: the request's `s3Config`, whose secret is kept only with its job. */
import path from "node:path";
import { invalid, RetouchError } from "../errors.ts";
import { createBucket, type BucketOptions } from "./s3.ts";
import type { BucketNames } from "./s3-failures.ts";
import { contentTypeOf, createKey, type Extension } from "./storage.ts";

export interface BucketTarget {
  accessId: string;
  accessSecret: string;
  bucketName: string;
  /** With or without the bucket's name before the host name. */
  endpointUrl: string;
  /** The object's full name if it ends in .png, .jpg or .jpeg; otherwise the folder that it goes into. */
  objectPath?: string | undefined;
}

/** The maximum of signature version 4, and the lifetime of our own URLs. */
const LIFETIME_SECONDS = 7 * 24 * 60 * 60;
const DEFAULT_REGION = "us-east-1";
/** S3's limit for a name is 1,024; ours leaves room for the file name. */
const MAX_PATH_BYTES = 900;
const PICTURE = /\.(png|jpe?g)$/i;
const NAMES: BucketNames = {
  bucket: "s3Config.bucketName",
  endpoint: "s3Config.endpointUrl",
  region: "s3Config.endpointUrl",
  accessKeyId: "s3Config.accessId",
  secretAccessKey: "s3Config.accessSecret",
};

/**
 * Checks what can be checked without asking the server.
 * @throws RetouchError INVALID_PARAMETER that names the field, and never repeats its value
 */
export function checkBucketTarget(target: BucketTarget): void {
  const { accessId, accessSecret, bucketName, endpointUrl, objectPath = "" } = target;
  const url = URL.canParse(endpointUrl) ? new URL(endpointUrl) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw wrong("endpointUrl", "an http or https URL without a user name");
  if (url.search !== "" || url.hash !== "") throw wrong("endpointUrl", "a URL without ? and #");
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucketName))
    throw wrong("bucketName", "the name of a bucket");
  if (!/^[\x21-\x7e]{1,200}$/.test(accessId)) throw wrong("accessId", "1 to 200 characters without blanks");
  if (accessSecret === "") throw invalid("empty", { field: "s3Config.accessSecret" });
  if (Buffer.byteLength(objectPath) > MAX_PATH_BYTES)
    throw wrong("objectPath", `at most ${MAX_PATH_BYTES} bytes long`);
  // A dot segment is a step in the URL's path, not a part of the name.
  if (/(^|\/)\.{1,2}(\/|$)|\p{Cc}|\p{Cs}/u.test(objectPath))
    throw wrong("objectPath", "without control characters, and without . or .. between slashes");
}

/**
 * Stores one image there.
 * @returns a URL that works for 7 days
 * @throws RetouchError INVALID_PARAMETER, STORAGE_UNAVAILABLE; the sentence begins with the field in question
 */
export async function putInBucket(
  target: BucketTarget,
  bytes: Uint8Array,
  extension: Extension,
  agents: BucketOptions["agents"],
): Promise<string> {
  checkBucketTarget(target);
  const endpoint = withoutBucket(target.endpointUrl, target.bucketName);
  const bucket = createBucket({
    bucket: target.bucketName,
    region: regionOf(endpoint),
    endpoint,
    // Given explicitly, so that the SDK never looks for this machine's own credentials.
    credentials: { accessKeyId: target.accessId, secretAccessKey: target.accessSecret },
    agents,
    names: NAMES,
  });
  const name = objectName(target.objectPath, extension);
  try {
    await bucket.put(name, bytes, contentTypeOf(`.${extension}`));
    return await bucket.presignGet(name, LIFETIME_SECONDS);
  } catch (error) {
    // Drops the cause, which a log would print: it holds what was sent and what the server replied.
    if (error instanceof RetouchError) throw new RetouchError(error.code, error.failure);
    throw error;
  }
}

function objectName(objectPath: string | undefined, extension: Extension): string {
  const given = (objectPath ?? "").replace(/^\/+/, "");
  if (PICTURE.test(given)) return given;
  return path.posix.join(given, path.posix.basename(createKey("outputs", extension)));
}

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

const wrong = (name: keyof BucketTarget, wanted: string): RetouchError =>
  invalid("type", { field: `s3Config.${name}`, wanted });
