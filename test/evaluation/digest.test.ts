import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { checkpointDigest } from "../../evaluation/checkpoint.ts";
import { temporaryFolder } from "../support/temporary.ts";

async function checkpoint(weights: string): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(path.join(folder, "vae"));
  await writeFile(path.join(folder, "model_index.json"), "{}");
  await writeFile(path.join(folder, "vae", "model.safetensors"), weights);
  return folder;
}

it("tells checkpoints apart by their files, not by their folder or the pages beside them", async () => {
  const folder = await checkpoint("abc");
  const digest = await checkpointDigest(folder);
  expect(await checkpointDigest(await checkpoint("abc"))).toBe(digest);
  expect(await checkpointDigest(await checkpoint("abd"))).not.toBe(digest);
  await writeFile(path.join(folder, "README.md"), "A page.");
  expect(await checkpointDigest(folder)).toBe(digest);
  await writeFile(path.join(folder, "vae", "config.json"), "{}");
  expect(await checkpointDigest(folder)).not.toBe(digest);
});
