/** Buckets and pictures that the tests of the storage share. */
import { randomBytes } from "node:crypto";
import { createBucket, type Bucket, type BucketOptions } from "../../src/storage/s3.ts";
import type { S3Server } from "./s3-server.ts";

/** Names that no two sentences could be confused by. */
export const NAMES = {
  bucket: "THE_BUCKET",
  endpoint: "THE_ENDPOINT",
  region: "THE_REGION",
  accessKeyId: "THE_KEY",
  secretAccessKey: "THE_SECRET",
};

/** The server's bucket, but for what a test changes. */
export const bucketOf = (server: S3Server, changes: Partial<BucketOptions> = {}): Bucket =>
  createBucket({
    bucket: server.bucket,
    region: "us-east-1",
    endpoint: server.endpoint,
    credentials: server.credentials,
    names: NAMES,
    ...changes,
  });

/** Bytes that no text encoding survives, with every value in them. */
export const binary = (size = 4096): Uint8Array =>
  Buffer.concat([Uint8Array.from({ length: 256 }, (_, index) => index), randomBytes(size)]);

/** Every object of a kind or prefix. */
export async function collect<Entry>(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of entries) found.push(entry);
  return found;
}
