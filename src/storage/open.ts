/** The storage that the settings name, as plain data because the engine process opens it itself. */
import path from "node:path";
import { createLocalStorage } from "./local.ts";
import type { BucketNames } from "./s3-failures.ts";
import type { Storage } from "./storage.ts";

/** How sentences name the settings. */
const NAMES: BucketNames = {
  bucket: "RETOUCH_S3_BUCKET",
  endpoint: "RETOUCH_S3_ENDPOINT",
  region: "RETOUCH_S3_REGION",
  accessKeyId: "RETOUCH_S3_ACCESS_KEY_ID",
  secretAccessKey: "RETOUCH_S3_SECRET_ACCESS_KEY",
};

export type StorageOptions =
  | { kind: "local"; folder: string }
  | {
      kind: "s3";
      bucket: string;
      region: string;
      endpoint?: string | undefined;
      credentials?: { accessKeyId: string; secretAccessKey: string } | undefined;
      prefix?: string | undefined;
    };

/** Loads the S3 client where it is used: it costs each process 24 MB and 0.3 s of a processor. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  if (options.kind === "local") return createLocalStorage(path.resolve(options.folder));
  const { prefix, ...bucket } = options;
  const { createBucket, createS3Storage } = await import("./s3.ts");
  return createS3Storage(createBucket({ ...bucket, names: NAMES }), prefix);
}
