/** Folders that end with the test that asked for them. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { fixtures } from "./fixtures.ts";

/** An empty folder, removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A copy of a fixture checkpoint that the test may change. */
export async function copyOfCheckpoint(name: string): Promise<string> {
  const folder = path.join(await temporaryFolder(), name);
  await cp(path.join(fixtures, "checkpoints", name), folder, { recursive: true });
  return folder;
}
