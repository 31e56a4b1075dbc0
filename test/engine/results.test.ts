/** Several results of one edit, and several images for a model that was trained with one, by whole engines. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Components } from "../../src/engine/components.ts";
import { createEngine, type Engine } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";

const FOLDERS = { kontext: "checkpoints/plain", klein: "klein/checkpoints/plain" };
const engines = {} as Record<keyof typeof FOLDERS, Engine>;
let square: Uint8Array;
let wide: Uint8Array;
let base: EditRequest;

beforeAll(async () => {
  for (const name of ["kontext", "klein"] as const) {
    const checkpoint = path.join(fixtures, FOLDERS[name]);
    engines[name] = await createEngine({ checkpoint, threads: 1, batch: 1, safety: { isOn: false } });
  }
  square = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  wide = await readFile(path.join(fixtures, "pictures", "scene-96x64.png"));
  base = { image: square, prompt: "Make the red car blue", seed: 1, numSteps: 2, maxSequenceLength: 32 };
});
afterAll(() => Promise.all(Object.values(engines).map((engine) => engine.close())));
afterEach(() => {
  vi.restoreAllMocks();
});

/** How often each network runs during `work`. */
async function countRuns(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const run = vi.spyOn(Components.prototype, "run");
  const counts: Record<string, number> = {};
  await work().catch((error: unknown) => void (counts["failed"] = Number(error instanceof Error)));
  for (const [name] of run.mock.calls) counts[name] = (counts[name] ?? 0) + 1;
  run.mockRestore();
  return counts;
}

describe.each(["kontext", "klein"] as const)("several results with %s", (name) => {
  it("are what edits with their seeds give, to the byte", async () => {
    const { results, image, images, parameters } = await engines[name].edit({ ...base, numImages: 3 });
    expect(results.map(({ seed }) => seed)).toEqual([1, 2, 3]);
    expect([image, images]).toEqual([results[0]!.image, results.map((one) => one.image)]);
    expect(parameters).toMatchObject({ seed: 1, numImages: 3 });
    for (const { image: one, seed } of results) {
      expect(one).toEqual((await engines[name].edit({ ...base, seed })).image);
    }
    expect(new Set(images.map((one) => Buffer.from(one).toString("base64"))).size).toBe(3);
  });

  it("share their text and their references", async () => {
    // A text and an image that are not remembered.
    const request = {
      ...base,
      image: await sharp(square).negate({ alpha: false }).png().toBuffer(),
      prompt: `A text of ${name} alone`,
      numImages: 4,
      isUnchangedKept: true,
    };
    const counts = await countRuns(() => engines[name].edit(request));
    const texts = name === "kontext" ? { clip: 1, t5: 1 } : {};
    // The source is decoded once, each result once.
    expect(counts).toMatchObject({ ...texts, encoder: 1, modulation: 1, transformer: 8, decoder: 5 });
  });

  it("keep what was not edited, each by itself", async () => {
    const { results } = await engines[name].edit({ ...base, numImages: 2, isUnchangedKept: true });
    for (const { seed, kept, image } of results) {
      const alone = await engines[name].edit({ ...base, seed, isUnchangedKept: true });
      expect([image, kept]).toEqual([alone.image, alone.kept]);
    }
  });

  it("are drawn one after the other, and can be told apart", async () => {
    const steps: string[] = [];
    await engines[name].edit(
      { ...base, numImages: 2 },
      { onStep: ({ image, step, of }) => void steps.push(`${image} ${step}/${of}`) },
    );
    expect(steps).toEqual(["0 1/2", "0 2/2", "1 1/2", "1 2/2"]);
  });

  it.each([
    ["within the second", 3, { transformer: 3 }],
    ["after the last step of the first", 2, { transformer: 2 }],
    ["before any is decoded", 6, { transformer: 6 }],
  ])("can be cancelled %s", async (_, last, runs) => {
    const controller = new AbortController();
    let taken = 0;
    const counts = await countRuns(() =>
      engines[name].edit(
        { ...base, numImages: 3 },
        {
          signal: controller.signal,
          onStep() {
            taken += 1;
            if (taken === last) controller.abort();
          },
        },
      ),
    );
    expect(counts).toMatchObject({ ...runs, failed: 1 });
    expect(counts).not.toHaveProperty("decoder");
  });

  it("give their latents, where no pictures are wanted", async () => {
    const { latents } = await engines[name].editToLatents({ ...base, numImages: 2 });
    const alone = await engines[name].editToLatents({ ...base, seed: 2 });
    expect(latents.shape[0]).toBe(2);
    expect(latents.data.subarray(alone.latents.data.length)).toEqual(alone.latents.data);
  });

  it("exclude one draw of several, and given latents", async () => {
    const together = (other: string) =>
      refusal("INVALID_PARAMETER", `numImages and ${other} must not be given together.`);
    await expect(engines[name].edit({ ...base, numImages: 2, numImagesPerPrompt: 2 })).rejects.toEqual(
      together("numImagesPerPrompt"),
    );
    const { latents } = await engines[name].editToLatents(base);
    await expect(engines[name].edit({ ...base, numImages: 2, latents })).rejects.toEqual(together("latents"));
  });
});

describe("several images with kontext", () => {
  it("are refused by default, with the reason", async () => {
    for (const images of [{ image: [square, wide] }, { images: [wide] }]) {
      await expect(engines.kontext.edit({ ...base, ...images })).rejects.toEqual(
        refusal(
          "INVALID_PARAMETER",
          "image must be one image, not 2, because the model was trained on one; imageLayout index, offset or stitch accepts several anyway.",
        ),
      );
    }
  });

  it("are taken as the request says, each way with another result", async () => {
    const drawn = new Set<string>();
    for (const imageLayout of ["index", "offset", "stitch"] as const) {
      const { image, parameters, referenceSizes, width, height } = await engines.kontext.edit({
        ...base,
        images: [wide],
        imageLayout,
      });
      drawn.add(Buffer.from(image).toString("base64"));
      expect(parameters.imageLayout).toBe(imageLayout);
      expect(referenceSizes).toHaveLength(imageLayout === "stitch" ? 1 : 2);
      expect([width, height]).toEqual([64, 64]);
      const { xmp } = await sharp(image).metadata();
      expect(xmp!.toString()).toContain(`imageLayout="${imageLayout}"`);
    }
    expect(drawn.size).toBe(3);
  });

  it("make no difference where there is one", async () => {
    for (const imageLayout of ["index", "offset", "stitch"] as const) {
      const { latents } = await engines.kontext.editToLatents({ ...base, imageLayout });
      expect(latents).toEqual((await engines.kontext.editToLatents(base)).latents);
    }
  });

  it("may be four, and cannot be stitched to an endless strip", async () => {
    const four = await engines.kontext.edit({ ...base, images: [wide, square, wide], imageLayout: "offset" });
    expect(four.referenceSizes).toHaveLength(4);
    await expect(
      engines.kontext.edit({ ...base, images: [wide, square, wide, square], imageLayout: "offset" }),
    ).rejects.toEqual(refusal("INVALID_PARAMETER", "image must be at most 4 images, not 5."));
    const strip = await sharp({ create: { width: 4096, height: 16, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    await expect(engines.kontext.edit({ ...base, images: [strip], imageLayout: "stitch" })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "imageLayout is not supported: side by side, the images are more than 64 times as wide as high.",
      ),
    );
  });
});

describe("several images with klein", () => {
  it("are taken by the model itself, under either name", async () => {
    const list = await engines.klein.edit({ ...base, image: [square, wide] });
    const beside = await engines.klein.edit({ ...base, images: [wide] });
    expect(beside.image).toEqual(list.image);
    expect(list.referenceSizes).toHaveLength(2);
  });

  it("leave no choice of how", async () => {
    await expect(engines.klein.edit({ ...base, images: [wide], imageLayout: "index" })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "imageLayout is not supported: the model of this checkpoint takes several images by itself.",
      ),
    );
  });
});
