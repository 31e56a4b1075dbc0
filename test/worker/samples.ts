/** Jobs, settings and logs for the tests of the worker. */
import { readFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";
import type { JobEdit, JobImage } from "../../src/jobs/job.ts";
import { createLog, type Log } from "../../src/log.ts";
import { createLocalStorage } from "../../src/storage/local.ts";
import { createKey, type ObjectKind, type Storage } from "../../src/storage/storage.ts";
import type { EngineSetup } from "../../src/worker/protocol.ts";
import { fixtures, root } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** Node 20 runs no TypeScript in a process of its own; the suite's setup has built this. */
export const engineEntry = pathToFileURL(path.join(root, "dist", "worker", "engine-main.js"));
export const stubEntry = pathToFileURL(path.join(root, "tools", "stub-engine.mjs"));

/** A storage with one picture in it, and an engine's settings that name it. */
export async function workplace(): Promise<{
  storage: Storage;
  setup: EngineSetup;
  image: JobImage;
}> {
  const folder = await temporaryFolder();
  const storage = createLocalStorage(folder);
  await storage.prepare();
  const key = createKey("inputs", "bin");
  await storage.put(key, await readFile(path.join(fixtures, "pictures", "scene-64x64.png")));
  return { storage, setup: setupFor(folder), image: { kind: "stored", key } };
}

export const setupFor = (folder: string): EngineSetup => ({
  engine: { threads: 1, safety: { isOn: false }, isPromptInMetadata: false, maxPixels: 1_000_000 },
  storage: { kind: "local", folder },
  allowPrivateHosts: ["127.0.0.1"],
  imageMaxBytes: 1_000_000,
  imageTimeoutMs: 2000,
  price: { amount: 0.03, per: "megapixel" },
  resumeAfterMs: 60_000,
});

export const editOf = (image: JobImage, changes: Partial<JobEdit> = {}): JobEdit => ({
  images: [image],
  prompt: "Make it night",
  negativePrompt: "",
  trueCfgScale: 2,
  size: { width: 64, height: 48 },
  numSteps: 4,
  guidance: 2,
  seed: 7,
  format: "png",
  isSafetyChecked: false,
  isInlineResult: false,
  isPreviewed: false,
  isUnchangedKept: false,
  loras: [],
  ...changes,
});

/** A log, and what it says. */
export function recordedLog(): { log: Log; lines: Record<string, unknown>[]; said: () => unknown[] } {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const log = createLog({ level: "trace", destination: { write } });
  return { log, lines, said: () => lines.map(({ msg }) => msg) };
}

export async function keysOf(storage: Storage, kind: ObjectKind): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list(kind)) keys.push(key);
  return keys;
}

/** A host of pictures for one test. @returns its address */
export async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
