/**
 * Storage in an S3 bucket: the operator's, or for one result the caller's own. Images are far below the 5 GB
 * limit of a single PUT, so there are no multipart uploads.
 */
import type { Agent as HttpAgent } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import { Readable, Transform, pipeline } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { RetouchError } from "../errors.ts";
import { ANSWER_TOO_LARGE, bucketFailure, type BucketNames } from "./s3-failures.ts";
import { checkKey, contentTypeOf, createKey, isKey, type Storage } from "./storage.ts";

export interface BucketOptions {
  bucket: string;
  region: string;
  /** An S3 server other than Amazon's; its buckets are then addressed by path. */
  endpoint?: string | undefined;
  /** @default what the AWS SDK finds: environment variables, files, the machine's role */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined;
  /** Agents for connections: guarded ones if the URL came from outside. */
  agents?: { httpAgent: HttpAgent; httpsAgent: HttpsAgent } | undefined;
  names: BucketNames;
  /** For one operation, retries included. @default 90,000 */
  timeoutMs?: number | undefined;
}

export interface Bucket {
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>;
  /** @returns undefined if there is no such object */
  get(key: string): Promise<Uint8Array | undefined>;
  delete(key: string): Promise<void>;
  list(prefix: string): AsyncIterable<{ key: string; modifiedAt: Date }>;
  /** A URL from which anyone can get the object for this time, at most 7 days. */
  presignGet(key: string, lifetimeSeconds: number): Promise<string>;
}

const TIMEOUT_MS = 90_000;
const CONNECTION_TIMEOUT_MS = 5000;
const MAX_ATTEMPTS = 3;
/** The maximum of signature version 4. */
const MAX_LIFETIME_SECONDS = 7 * 24 * 60 * 60;
const MAX_OBJECT_BYTES = 128 * 1024 * 1024;
/** A page of a list has at most 1,000 names of at most 1,024 bytes, with tags around them. */
const MAX_OTHER_ANSWER_BYTES = 4 * 1024 * 1024;

/** Opens nothing yet. Methods throw RetouchError STORAGE_UNAVAILABLE with a sentence that begins with one of `names`. */
export function createBucket(options: BucketOptions): Bucket {
  const { bucket: Bucket, endpoint, timeoutMs = TIMEOUT_MS } = options;
  const client = createClient(options, timeoutMs);
  // Without an endpoint the server is Amazon's, and only the bucket's name can be wrong.
  const names = { ...options.names, ...(endpoint === undefined ? { endpoint: options.names.bucket } : {}) };

  async function attempt<Result>(
    work: (limits: { abortSignal: AbortSignal }) => Promise<Result>,
  ): Promise<Result> {
    const abortSignal = AbortSignal.timeout(timeoutMs);
    try {
      return await work({ abortSignal });
    } catch (error) {
      // A stream ended by the signal reports only that it was ended.
      throw bucketFailure(names, abortSignal.aborted ? abortSignal.reason : error);
    }
  }

  return {
    put: (Key, Body, ContentType) =>
      attempt(async (limits) => {
        await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType }), limits);
      }),
    get: (Key) =>
      attempt(async (limits) => {
        try {
          const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }), limits);
          return await Body?.transformToByteArray();
        } catch (error) {
          if ((error as Error).name === "NoSuchKey") return undefined;
          throw error;
        }
      }),
    delete: (Key) =>
      attempt(async (limits) => {
        await client.send(new DeleteObjectCommand({ Bucket, Key }), limits);
      }),
    async *list(Prefix) {
      let ContinuationToken: string | undefined;
      do {
        const page = await attempt((limits) =>
          client.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }), limits),
        );
        for (const { Key, LastModified } of page.Contents ?? []) {
          if (Key !== undefined && LastModified !== undefined) yield { key: Key, modifiedAt: LastModified };
        }
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
    },
    presignGet: (Key, lifetimeSeconds) =>
      attempt(() => {
        const expiresIn = Math.min(lifetimeSeconds, MAX_LIFETIME_SECONDS);
        return getSignedUrl(client, new GetObjectCommand({ Bucket, Key }), { expiresIn });
      }),
  };
}

function createClient(options: BucketOptions, timeoutMs: number): S3Client {
  const { region, endpoint, credentials, agents } = options;
  const client = new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: MAX_ATTEMPTS,
    // Newer checksums are sent only if an operation requires them: other servers often do not know them.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // The SDK reacts to a wrong clock by shifting its own and retrying. Presigned URLs would still be wrong
    // for those who check them, so the operator has to know.
    disableClockSkewCorrection: true,
    // Asking before sending a large body costs a round trip, or seconds if the server does not know the
    // header.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: Math.min(CONNECTION_TIMEOUT_MS, timeoutMs),
      requestTimeout: timeoutMs / MAX_ATTEMPTS,
      throwOnRequestTimeout: true,
      ...agents,
    },
  });
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      const maxBytes =
        context["commandName"] === "GetObjectCommand" ? MAX_OBJECT_BYTES : MAX_OTHER_ANSWER_BYTES;
      const response = result.response as { body?: unknown };
      if (response.body instanceof Readable) response.body = bounded(response.body, maxBytes);
      return result;
    },
    // The last step before the network, so that the reply is bounded before anything reads it.
    { step: "deserialize", priority: "low", name: "boundAnswer" },
  );
  return client;
}

/** Bounds a reply: the SDK collects it whole in memory, and a caller's own endpoint may send without end. */
function bounded(body: Readable, maxBytes: number): Readable {
  let count = 0;
  const limit = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      count += chunk.length;
      if (count <= maxBytes) done(null, chunk);
      else done(Object.assign(new Error("The answer is too large."), { code: ANSWER_TOO_LARGE }));
    },
  });
  // An error reaches the reader of the stream; nothing else waits for the end.
  return pipeline(body, limit, () => {});
}

/** The operator's bucket as the storage of all images. @param prefix begins the names of all objects */
export function createS3Storage(bucket: Bucket, prefix = ""): Storage {
  const nameOf = (key: string): string => {
    checkKey(key);
    return prefix + key;
  };
  return {
    put: async (key, bytes) => bucket.put(nameOf(key), bytes, contentTypeOf(key)),
    async get(key) {
      const bytes = await bucket.get(nameOf(key));
      return bytes && { bytes, contentType: contentTypeOf(key) };
    },
    delete: async (key) => bucket.delete(nameOf(key)),
    async *list(kind) {
      for await (const { key, modifiedAt } of bucket.list(`${prefix}${kind}/`)) {
        const own = key.slice(prefix.length);
        if (isKey(own)) yield { key: own, modifiedAt };
      }
    },
    async prepare() {
      await this.check();
    },
    async readClock() {
      const probe = nameOf(createKey("inputs", "bin"));
      await bucket.put(probe, new Uint8Array(), contentTypeOf(probe));
      try {
        for await (const { modifiedAt } of bucket.list(probe)) return modifiedAt;
      } finally {
        await bucket.delete(probe);
      }
      throw new RetouchError("STORAGE_UNAVAILABLE", "The bucket does not list what was stored in it.");
    },
    async check(bytes = 1) {
      // Only writing shows that writing is allowed. A HEAD reply would have no body to say what is wrong.
      const probe = nameOf(createKey("inputs", "bin"));
      await bucket.put(probe, new Uint8Array(bytes), contentTypeOf(probe));
      await bucket.get(probe);
      for await (const _ of bucket.list(probe)) break;
      await bucket.delete(probe);
    },
  };
}
