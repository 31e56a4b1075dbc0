/**
 * A real S3 server in a process of its own, on a free port and an empty folder. It verifies version 4 signatures of
 * headers and of presigned addresses, their expiry, and the clock of the request.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface S3Server {
  endpoint: string;
  /** A bucket that exists. */
  bucket: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** Ends the process and removes its folder. */
  close(): Promise<void>;
}

const PACKAGE = "@20minutes/s3rver";
/** The one account that the server comes with. */
const CREDENTIALS = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };
const BUCKET = "pictures";

const PROGRAM = fileURLToPath(new URL("s3-server-process.cjs", import.meta.url));

export async function startS3Server(): Promise<S3Server> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-s3-"));
  const options = {
    directory: folder,
    address: "127.0.0.1",
    port: 0,
    silent: true,
    vhostBuckets: false,
    configureBuckets: [{ name: BUCKET }],
  };
  const server = createRequire(import.meta.url).resolve(PACKAGE);
  const child = spawn(process.execPath, [PROGRAM, server, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  for await (const line of createInterface(child.stdout)) {
    const port = /^port (\d+)$/.exec(line)?.[1];
    if (port === undefined) continue;
    return {
      endpoint: `http://127.0.0.1:${port}`,
      bucket: BUCKET,
      credentials: CREDENTIALS,
      async close() {
        child.kill();
        await ended;
        await rm(folder, { recursive: true, force: true });
      },
    };
  }
  throw new Error("The S3 server did not start.");
}
