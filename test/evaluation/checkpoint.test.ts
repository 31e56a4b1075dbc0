import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointDigest, drawnSize } from "../../evaluation/checkpoint.ts";
import { targetSize } from "../../src/engine/sizes.ts";
import { temporaryFolder } from "../support/temporary.ts";

describe("the digest of a checkpoint", () => {
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
});

describe("the size that a network draws", () => {
  const native = { area: 128 ** 2, grid: 16 };

  it("is the native area in the picture's shape, and never larger than the picture", () => {
    expect(drawnSize({ width: 192, height: 192 }, native)).toEqual({ width: 128, height: 128 });
    expect(drawnSize({ width: 256, height: 144 }, native)).toEqual({ width: 171, height: 96 });
    expect(drawnSize({ width: 64, height: 64 }, native)).toEqual({ width: 64, height: 64 });
  });

  it("is a size that the engine leaves as it is", () => {
    for (let width = 100; width < 400; width += 1) {
      for (let height = 100; height < 400; height += 7) {
        const size = drawnSize({ width, height }, native);
        expect(targetSize(size, native).content).toEqual(size);
      }
    }
  });
});
