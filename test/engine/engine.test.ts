/** The engine's promises, kept with the small random checkpoints: what they draw is noise, and depends on every input. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { decodePicture } from "../../src/images/decode.ts";
import { encodePicture } from "../../src/images/encode.ts";
import type { GrayPicture, Picture } from "../../src/images/picture.ts";
import { resizePicture } from "../../src/images/resize.ts";
import type { EditStep } from "../../src/engine/model.ts";
import { createEngine, type Engine } from "../../src/engine/engine.ts";
import { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { Session } from "../../src/runtime/session.ts";
import { version } from "../../src/version.ts";
import { gradient, largestDifference, pixelAt } from "../images/samples.ts";
import { psnr } from "../support/compare.ts";
import { fixtures, readTensors, root } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { changeSafetensors } from "../support/safetensors.ts";
import { copyOfCheckpoint } from "../support/temporary.ts";

const checkpointFolder = (name: string): string => path.join(fixtures, "checkpoints", name);
const open = (name: string): Promise<Engine> =>
  createEngine({ checkpoint: checkpointFolder(name), threads: 1 });
const LONG_PROMPT = "now perched on a cloud in outer space, ".repeat(10);
const aborted = (sentence: string): unknown => refusal("ABORTED", sentence);

let engine: Engine;
let base: EditRequest;
beforeAll(async () => {
  engine = await open("plain");
  const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  base = { image, prompt: "Make the red car blue", seed: 1, numSteps: 3 };
});
afterAll(() => engine.close());
afterEach(() => {
  vi.restoreAllMocks();
});

const edit = async (changes: Partial<EditRequest> = {}, on = engine): Promise<Picture> =>
  decodePicture((await on.edit({ ...base, ...changes })).image);

/** How many passes the transformer takes during `work`, of which a run may have several. */
async function countRuns(work: () => Promise<unknown>): Promise<number> {
  const velocity = vi.spyOn(Networks.prototype, "velocities");
  await work();
  return velocity.mock.calls.reduce((sum, [images]) => sum + images.length, 0);
}

describe("an image of high dynamic range", () => {
  it("is edited with a notice, and no other image is", async () => {
    const forms = await readTensors("picture-forms.safetensors");
    const imageOf = (name: string) => forms.get(`PNG cICP ${name}: file`)!.data as Uint8Array;
    const noticesFor = async (name: string) =>
      (await engine.edit({ ...base, image: imageOf(name), numSteps: 1 })).notices;
    const [first, ...others] = await noticesFor("BT.2020, PQ");
    expect(first).toMatch(/^The image has high dynamic range, .* darkened \(ITU-R BT\.2390\)\.$/);
    expect(await noticesFor("BT.2020")).toEqual(others);
  });
});

describe("an engine", () => {
  it("says which checkpoint it has loaded", () => {
    const folder = checkpointFolder("plain");
    expect(engine.checkpoint).toEqual({
      folder,
      name: "plain",
      isDemo: false,
      nativeSize: 128,
      grid: 16,
      scale: expect.objectContaining({ nativeArea: 128 * 128, grid: 16 }),
      weights: { transformer: "fp32", t5: "fp32" },
    });
  });

  it("edits with other LoRAs from call to call, and without any as an engine that has none", async () => {
    const loras = Object.fromEntries(
      ["peft", "control"].map((name) => [name, path.join(fixtures, "loras", `${name}.safetensors`)]),
    );
    const adaptable = await createEngine({ checkpoint: checkpointFolder("plain"), threads: 1, loras });
    onTestFinished(() => adaptable.close());
    const [first, second, none] = await Promise.all([
      edit({ loras: [{ name: "peft", scale: 0.5 }] }, adaptable),
      edit({ loras: [{ name: "control" }] }, adaptable),
      edit({}, adaptable),
    ]);
    expect(none.data).toEqual((await edit()).data);
    expect(first.data).not.toEqual(none.data);
    expect(second.data).not.toEqual(first.data);

    const { parameters, notices } = await adaptable.edit({ ...base, loras: [{ name: "control" }] });
    expect(parameters.loras).toEqual([{ name: "control", scale: 1 }]);
    expect(notices).toEqual([
      "The LoRA control replaces the weights of 12 norms, which its scale does not change.",
    ]);
    const unknown = adaptable.edit({ ...base, loras: [{ name: "ink" }] });
    await expect(unknown).rejects.toEqual(
      refusal("INVALID_PARAMETER", 'loras: there is no LoRA "ink"; known are peft, control.'),
    );
  });

  it.each([-1, 1.5, 1025, NaN])("is refused with %d threads", async (threads) => {
    await expect(createEngine({ checkpoint: checkpointFolder("plain"), threads })).rejects.toEqual(
      refusal("INVALID_PARAMETER", `threads must be a whole number from 0 to 1024, not ${threads}.`),
    );
  });

  it("runs on the device that is asked for, says so, and is refused with one that is none", async () => {
    const onProcessor = await createEngine({
      checkpoint: checkpointFolder("plain"),
      threads: 1,
      device: "cpu",
    });
    expect(onProcessor.device).toEqual({
      name: "cpu",
      reason: "as asked",
      computeType: "float32",
      notices: [],
    });
    await onProcessor.close();
    const device = "tpu" as "cpu";
    await expect(createEngine({ checkpoint: checkpointFolder("plain"), device })).rejects.toEqual(
      refusal("INVALID_PARAMETER", /^device must be auto, cpu, .* not "tpu"\.$/),
    );
  });

  it("gives the same bytes for the same seed, and other ones for another", async () => {
    const [first, again, other] = await Promise.all(
      [1, 1, 2].map((seed) => engine.edit({ ...base, seed }).then(({ image }) => image)),
    );
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it("gives the bytes that another engine on the same checkpoint gives", async () => {
    const second = await open("plain");
    const request = { ...base, negativePrompt: "a dog" };
    expect((await second.edit(request)).image).toEqual((await engine.edit(request)).image);
    await second.close();
  });

  it("follows prompt, picture and number of steps", async () => {
    const plain = await edit();
    const changes = [
      { prompt: "Make the red car green" },
      { image: await encodePicture(gradient(64, 64), "png") },
      { numSteps: 4 },
    ];
    for (const change of changes) expect(largestDifference(await edit(change), plain)).toBeGreaterThan(2);
  });

  it("chooses a seed where none is given, and says it so that the edit can be repeated", async () => {
    const first = await engine.edit({ ...base, seed: -1 });
    const { seed } = first.parameters;
    expect(seed).toBeGreaterThanOrEqual(0);
    expect((await engine.edit({ ...base, seed })).image).toEqual(first.image);
  });

  it("reports every parameter that was in effect, the sizes and the time", async () => {
    const { image, images, ...result } = await engine.edit({ ...base, size: { width: 256, height: 256 } });
    const { receipt } = result.results[0]!;
    const { seconds } = result;
    expect(images).toEqual([image]);
    const safety = { score: expect.any(Number), threshold: 0.7 };
    expect(result).toEqual({
      results: [{ image, seed: 1, safety, receipt }],
      format: "png",
      hasTransparency: false,
      width: 256,
      height: 256,
      parameters: {
        prompt: base.prompt,
        negativePrompt: "",
        sizeRule: "exact",
        sampler: "euler",
        isEmptyNegativeUsed: false,
        trueCfgScale: 1,
        size: { width: 256, height: 256 },
        numSteps: 3,
        guidance: 2,
        acceleration: "off",
        seed: 1,
        numImages: 1,
        imageLayout: "auto",
        isTransparencyEdited: false,
        strength: 1,
        maskBlur: 0,
        maskFeather: 0,
        format: "png",
        background: "auto",
        isSafetyChecked: true,
        isUnchangedKept: false,
        preserve: "off",
        isMaskWanted: false,
        loras: [],
      },
      workingSize: { width: 128, height: 128 },
      referenceSize: { width: 128, height: 128 },
      referenceSizes: [{ width: 128, height: 128 }],
      notices: [],
      arithmetic: "fp32",
      tokens: expect.any(Object),
      safety,
      seconds,
    });
    expect(seconds.denoise).toBeGreaterThan(0);
    expect(seconds.total).toBeGreaterThan(seconds.denoise);
  });

  it("writes the instruction into the file only where the engine was told to", async () => {
    const telling = await createEngine({ checkpoint: checkpointFolder("plain"), isPromptInMetadata: true });
    const xmpOf = async ({ image }: { image: Uint8Array }) => (await sharp(image).metadata()).xmpAsString;
    expect(await xmpOf(await telling.edit(base))).toContain(`retouch:prompt="${base.prompt}"`);
    expect(await xmpOf(await engine.edit(base))).not.toContain(base.prompt);
    await telling.close();
  });

  it("refuses a picture that is none, or larger than it may be, and stays usable", async () => {
    const image = new TextEncoder().encode("no picture");
    await expect(engine.edit({ ...base, image })).rejects.toEqual(
      refusal("IMAGE_INVALID", /no|not a picture/),
    );
    await expect(engine.edit({ ...base, numSteps: 0 })).rejects.toEqual(
      refusal("INVALID_PARAMETER", /numSteps/),
    );
    const narrow = await createEngine({
      checkpoint: checkpointFolder("plain"),
      threads: 1,
      maxPixels: 64 * 64 - 1,
    });
    await expect(narrow.edit(base)).rejects.toEqual(refusal("IMAGE_TOO_LARGE", /4,095/));
    await narrow.close();
    expect(await edit()).toMatchObject({ width: 64, height: 64 });
  });
});

describe("the size of a result", () => {
  it.each([
    [64, 64],
    [16, 16],
    [40, 24],
    [101, 37],
    [200, 150],
    [300, 20],
  ])("is exactly %i x %i where that is asked for", async (width, height) => {
    const result = await engine.edit({ ...base, size: { width, height }, numSteps: 1 });
    expect([result.width, result.height]).toEqual([width, height]);
    expect(await decodePicture(result.image)).toMatchObject({ width, height });
  });

  it("is the picture's own where none is asked for, whatever its shape", async () => {
    for (const [width, height] of [
      [48, 80],
      [37, 101],
    ] as const) {
      const image = await encodePicture(gradient(width, height), "png");
      expect(await edit({ image, numSteps: 1 })).toMatchObject({ width, height });
    }
  });

  it("of a picture of one pixel is the smallest there is", async () => {
    const image = await encodePicture(gradient(1, 1), "png");
    const result = await engine.edit({ ...base, image });
    expect(result).toMatchObject({ width: 16, height: 16, workingSize: { width: 16, height: 16 } });
    expect(await decodePicture(result.image)).toMatchObject({ width: 16, height: 16 });
  });

  it("may have another shape than the picture, which is then seen in its own", async () => {
    const image = await encodePicture(gradient(100, 25), "png");
    const result = await engine.edit({ ...base, image, size: { width: 48, height: 64 } });
    expect(result).toMatchObject({
      width: 48,
      height: 64,
      workingSize: { width: 48, height: 64 },
      referenceSize: { width: 256, height: 64 },
    });
    expect(await decodePicture(result.image)).toMatchObject({ width: 48, height: 64 });
  });
});

describe("the file of a result", () => {
  it("is a PNG whose metadata name the seed and the checkpoint", async () => {
    const { image } = await engine.edit({ ...base, seed: 0 });
    const { format, xmp } = await sharp(image).metadata();
    const text = xmp!.toString("utf8");
    expect(format).toBe("png");
    for (const fact of [
      'seed="0"',
      'model="plain"',
      `version="${version}"`,
      'numSteps="3"',
      'guidance="2"',
    ]) {
      expect(text).toContain(`retouch:${fact}`);
    }
    expect(text).not.toContain("retouch:trueCfgScale");
  });

  it("may be a JPEG with the same metadata", async () => {
    const result = await engine.edit({ ...base, format: "jpeg", negativePrompt: "a dog", trueCfgScale: 3 });
    expect(result.format).toBe("jpeg");
    const { format, xmp } = await sharp(result.image).metadata();
    expect(format).toBe("jpeg");
    expect(xmp!.toString("utf8")).toContain('retouch:trueCfgScale="3"');
  });
});

describe("a negative prompt", () => {
  it("that is blank costs nothing and changes nothing", async () => {
    const plain = await edit();
    for (const negativePrompt of ["", " \n"]) {
      let picture: Picture | undefined;
      const runs = await countRuns(async () => (picture = await edit({ negativePrompt })));
      expect(runs).toBe(3);
      expect(picture).toEqual(plain);
      vi.restoreAllMocks();
    }
  });

  it("takes a second pass a step and changes the picture visibly", async () => {
    const plain = await edit();
    const pictures: Picture[] = [];
    const runs = await countRuns(async () => {
      pictures.push(await edit({ negativePrompt: "a dog on a beach" }));
      pictures.push(await edit({ negativePrompt: "a dog on a beach", trueCfgScale: 4 }));
    });
    expect(runs).toBe(12);
    for (const picture of pictures) expect(largestDifference(picture, plain)).toBeGreaterThan(8);
    expect(largestDifference(pictures[0]!, pictures[1]!)).toBeGreaterThan(2);
  });

  it("has no effect at a scale of 1, and is then not reported", async () => {
    const runs = await countRuns(async () => {
      const result = await engine.edit({ ...base, negativePrompt: "a dog", trueCfgScale: 1 });
      expect(result.parameters).toMatchObject({ negativePrompt: "", trueCfgScale: 1 });
      expect(await decodePicture(result.image)).toEqual(await edit());
    });
    expect(runs).toBe(6);
  });

  it("that is in effect is reported with its scale", async () => {
    const { parameters } = await engine.edit({ ...base, negativePrompt: "a dog" });
    expect(parameters).toMatchObject({ negativePrompt: "a dog", trueCfgScale: 2 });
  });
});

describe("guidance", () => {
  it("changes the picture where the network has an input for it", async () => {
    expect(largestDifference(await edit({ guidance: 5 }), await edit({ guidance: 2 }))).toBeGreaterThan(2);
  });

  it("changes nothing where it has none", async () => {
    const unguided = await open("odd");
    expect(await edit({ guidance: 5 }, unguided)).toEqual(await edit({ guidance: 2 }, unguided));
    await unguided.close();
  });
});

describe("a text longer than the tokens", () => {
  it("is cut, and the result says so", async () => {
    const { notices } = await engine.edit({ ...base, prompt: LONG_PROMPT, negativePrompt: LONG_PROMPT });
    expect(notices).toEqual([
      "The prompt is longer than the 24 tokens that this checkpoint reads; its end was cut off.",
      "The negative prompt is longer than the 24 tokens that this checkpoint reads; its end was cut off.",
    ]);
  });

  it("is no matter where it is a negative prompt without effect", async () => {
    const { notices } = await engine.edit({ ...base, negativePrompt: LONG_PROMPT, trueCfgScale: 1 });
    expect(notices).toEqual([]);
  });
});

describe("steps", () => {
  it("are reported from the first to the last, with the time since the first began", async () => {
    const steps: EditStep[] = [];
    await engine.edit({ ...base, numSteps: 5 }, { onStep: (step) => void steps.push(step) });
    expect(steps.map(({ step, of }) => [step, of])).toEqual([1, 2, 3, 4, 5].map((step) => [step, 5]));
    const seconds = steps.map((step) => step.seconds);
    expect(seconds).toEqual(seconds.toSorted((a, b) => a - b));
    expect(seconds[0]).toBeGreaterThan(0);
  });

  it("show the picture as it would be if the edit ended there, in the end the result itself", async () => {
    const previews: Picture[] = [];
    const onStep = async (step: EditStep): Promise<void> => void previews.push(await step.preview());
    const size = { width: 72, height: 40 };
    const { image } = await engine.edit({ ...base, size }, { onStep });
    expect(previews).toHaveLength(3);
    for (const preview of previews) expect(preview).toMatchObject(size);
    expect(previews[2]).toEqual(await decodePicture(image));
    expect(largestDifference(previews[0]!, previews[2]!)).toBeGreaterThan(2);
  });

  it("have previews at working size where the result is enlarged", async () => {
    const previews: Picture[] = [];
    const onStep = async (step: EditStep): Promise<void> => void previews.push(await step.preview());
    await engine.edit({ ...base, size: { width: 512, height: 128 }, numSteps: 1 }, { onStep });
    expect(previews[0]).toMatchObject({ width: 256, height: 64 });
  });

  it("are sketched small at next to no cost, near the decoded previews in the end", async () => {
    const pairs: [Picture, Picture][] = [];
    const tiny = await createEngine({ threads: 1 });
    const image = await readFile(path.join(root, "examples", "bluebird.png"));
    const request = {
      image,
      prompt: "Make it night",
      seed: 1,
      numSteps: 6,
      size: { width: 120, height: 80 },
    };
    await tiny.edit(request, {
      onStep: async ({ sketch, preview }) => void pairs.push([await sketch(), await preview()]),
    });
    await tiny.close();
    for (const [sketch, preview] of pairs) {
      expect(sketch).toMatchObject({ width: 60, height: 40 });
      expect(preview).toMatchObject({ width: 120, height: 80 });
      expect(psnr(sketch.data, (await resizePicture(preview, 60, 40)).data)).toBeGreaterThan(20);
    }
  });

  it("are prepared to be sketched before the first where that is said, once an engine", async () => {
    const own = await open("plain");
    const encodings = vi.spyOn(Networks.prototype, "encodePixels");
    const seen: number[] = [];
    const onStep = (): void => void seen.push(encodings.mock.calls.length);
    await own.edit({ ...base, numSteps: 1 }, { onStep });
    await own.edit({ ...base, numSteps: 1 }, { onStep, isSketched: true });
    await own.edit({ ...base, numSteps: 1 }, { onStep, isSketched: true });
    // One of the source, which is kept, and four samples.
    expect(seen).toEqual([1, 5, 5]);
    await own.close();
  });

  it("change nothing about the result, whatever is made of them", async () => {
    const { image } = await engine.edit(base);
    for (const look of [(step: EditStep) => step.sketch(), (step: EditStep) => step.preview()]) {
      const seen: Picture[] = [];
      const onStep = async (step: EditStep): Promise<void> => void seen.push(await look(step));
      expect((await engine.edit(base, { onStep })).image).toEqual(image);
      expect(seen).toHaveLength(3);
    }
  });

  it("wait for what is done with them, and an edit fails with what that throws", async () => {
    let [open, seen] = [false, 0];
    const onStep = async (): Promise<void> => {
      expect(open).toBe(false);
      open = true;
      await new Promise((resolve) => setTimeout(resolve, 5));
      open = false;
      seen += 1;
      if (seen === 2) throw new Error("The progress bar broke.");
    };
    await expect(engine.edit(base, { onStep })).rejects.toThrow("The progress bar broke.");
    expect(seen).toBe(2);
    expect(await edit()).toMatchObject({ width: 64 });
  });
});

describe("what is not edited", () => {
  const size = { width: 512, height: 512 };
  let tiny: Engine;
  let car: { image: Uint8Array; prompt: string; seed: number; numSteps: number };
  beforeAll(async () => {
    tiny = await createEngine({ threads: 1 });
    const image = await readFile(path.join(root, "examples", "car.png"));
    car = { image, prompt: "Make the car green", seed: 1, numSteps: 8 };
  });
  afterAll(() => tiny.close());

  it("is the source's own where that is asked for, and the network's elsewhere", async () => {
    const source = await resizePicture(await decodePicture(car.image), 512, 512);
    const drawn = await tiny.edit({ ...car, size });
    const { image, kept, notices, parameters } = await tiny.edit({ ...car, size, isUnchangedKept: true });
    expect(drawn.kept).toBeUndefined();
    expect(notices).toEqual([]);
    expect(parameters.isUnchangedKept).toBe(true);
    expect(kept!.mask).toMatchObject({ width: 128, height: 128 });
    expect(kept!.changedShare).toBeGreaterThan(0.2);
    expect(kept!.changedShare).toBeLessThan(0.7);
    const { shares } = kept!;
    expect(shares.kept + shares.carried + shares.drawn).toBeCloseTo(1, 5);
    expect(shares.carried).toBeGreaterThan(0.05);

    const result = await decodePicture(image);
    const places = { source: 0, network: 0 };
    for (let y = 0; y < 512; y += 1) {
      for (let x = 0; x < 512; x += 1) {
        const around = maskAround(kept!.mask, (x + 0.5) / 4 - 0.5, (y + 0.5) / 4 - 0.5);
        const from = (picture: Picture) => [
          ...picture.data.subarray((y * 512 + x) * 3, (y * 512 + x) * 3 + 3),
        ];
        if (around.every((value) => value === 255)) {
          places.source += 1;
          if (from(result).join() !== from(source).join()) throw new Error(`${x}, ${y} is not the source's.`);
        } else if (around.every((value) => value === 0)) {
          if (from(result).join() !== from(source).join()) places.network += 1;
        }
      }
    }
    expect(places.source).toBeGreaterThan(512 ** 2 / 4);
    expect(places.network).toBeGreaterThan(512 ** 2 / 5);
    expect((await sharp(image).metadata()).xmpAsString).toContain('retouch:keepUnchanged="true"');
  });

  it("is nothing where all was edited: the light is carried over, or the picture is the network's", async () => {
    const night = { ...car, prompt: "Make it night", size, numSteps: 28 };
    const carried = await tiny.edit({ ...night, preserve: "auto" });
    expect(carried.kept!.changedShare).toBe(1);
    expect(carried.kept!.shares.carried).toBeGreaterThan(0.7);
    const exact = await tiny.edit({ ...night, preserve: "exact", isMaskWanted: true });
    expect(exact.kept).toMatchObject({ changedShare: 1, shares: { kept: 0, carried: 0, drawn: 1 } });
    expect(new Set(exact.kept!.map!.data)).toEqual(new Set([0]));
    const [result, plain] = [
      await decodePicture(exact.image),
      await decodePicture((await tiny.edit(night)).image),
    ];
    // But for where it lies, which is estimated.
    const sum = result.data.reduce((total, value, i) => total + Math.abs(value - plain.data[i]!), 0);
    expect(sum / result.data.length).toBeLessThan(1);
  });

  it("is all of a picture's pixels where its size is asked for", async () => {
    const { image, width, height, kept, workingSize } = await tiny.edit({
      ...car,
      size: "source",
      preserve: "auto",
      isMaskWanted: true,
    });
    expect({ width, height }).toEqual({ width: 1024, height: 1024 });
    expect(workingSize).toEqual({ width: 128, height: 128 });
    expect(kept!.map).toMatchObject({ width: 1024, height: 1024 });
    expect(pixelAt(await decodePicture(image), 5, 5)).toEqual(pixelAt(await decodePicture(car.image), 5, 5));
  });

  it("is found where the picture nearly has the result's shape, and lies at its top left", async () => {
    const source = await resizePicture(await decodePicture(car.image), 480, 512);
    const image = await encodePicture(source, "png");
    const { kept, image: bytes } = await tiny.edit({ ...car, image, size, isUnchangedKept: true });
    expect(kept!.changedShare).toBeLessThan(0.8);
    const result = await decodePicture(bytes);
    expect(result).toMatchObject(size);
    // The sky.
    for (const [x, y] of [
      [3, 3],
      [200, 12],
    ] as const) {
      expect(pixelAt(result, x, y)).toEqual(pixelAt(source, x, y));
    }
  });

  it("cannot be kept where the picture has another shape, which the result says", async () => {
    const request = { ...car, size: { width: 512, height: 256 }, numSteps: 1 };
    const { kept, notices, image } = await tiny.edit({ ...request, isUnchangedKept: true });
    expect(kept).toBeUndefined();
    expect(notices).toEqual([
      "What was not edited could not be kept, because the image and the result differ in shape.",
    ]);
    expect(await decodePicture(image)).toEqual(await decodePicture((await tiny.edit(request)).image));
  });

  it("is compared at the cost of one more decoding", async () => {
    const decodings = vi.spyOn(Networks.prototype, "decodeLatents");
    await engine.edit({ ...base, isUnchangedKept: true });
    expect(decodings).toHaveBeenCalledTimes(2);
    await engine.edit(base);
    expect(decodings).toHaveBeenCalledTimes(3);
  });
});

/** The mask's values around a place that lies between pixels. */
function maskAround({ width, height, data }: GrayPicture, x: number, y: number): number[] {
  const at = (place: number, length: number): number[] =>
    [Math.floor(place), Math.ceil(place)].map((side) => Math.min(Math.max(side, 0), length - 1));
  return at(y, height).flatMap((row) => at(x, width).map((column) => data[row * width + column]!));
}

describe("edits at the same time", () => {
  it("run one after the other, in the order in which they were asked for", async () => {
    const steps: string[] = [];
    const run = (name: string, seed: number) =>
      engine.edit({ ...base, seed }, { onStep: ({ step }) => void steps.push(`${name}${step}`) });
    const [a, b] = await Promise.all([run("a", 1), run("b", 2)]);
    expect(steps).toEqual(["a1", "a2", "a3", "b1", "b2", "b3"]);
    expect(a.image).toEqual((await engine.edit({ ...base, seed: 1 })).image);
    expect(b.image).toEqual((await engine.edit({ ...base, seed: 2 })).image);
  });

  it("do not depend on one that fails", async () => {
    const [failed, other] = await Promise.allSettled([
      engine.edit({ ...base, prompt: "" }),
      engine.edit(base),
    ]);
    expect([failed.status, other.status]).toEqual(["rejected", "fulfilled"]);
  });
});

describe("a signal", () => {
  it("that was given before the start ends the edit before any network runs", async () => {
    const run = vi.spyOn(Session.prototype, "run");
    await expect(engine.edit(base, { signal: AbortSignal.abort("enough") })).rejects.toEqual(
      aborted("The edit was cancelled."),
    );
    expect(run).not.toHaveBeenCalled();
  });

  it("in the middle ends it within one step, says its reason, and leaves the engine usable", async () => {
    const before = await edit();
    const controller = new AbortController();
    const onStep = ({ step }: EditStep): void => {
      if (step === 2) controller.abort("enough");
    };
    const runs = await countRuns(async () => {
      const failure = await engine
        .edit({ ...base, numSteps: 20 }, { signal: controller.signal, onStep })
        .catch((error: unknown) => error);
      expect(failure).toEqual(aborted("The edit was cancelled."));
      expect(failure).toMatchObject({ cause: "enough", isRetryable: true });
    });
    expect(runs).toBe(2);
    expect(await edit()).toEqual(before);
  });

  it("after the last step ends it before the picture is decoded", async () => {
    const controller = new AbortController();
    const decode = vi.spyOn(Networks.prototype, "decodeLatents");
    const onStep = ({ step, of }: EditStep): void => {
      if (step === of) controller.abort();
    };
    await expect(engine.edit(base, { signal: controller.signal, onStep })).rejects.toEqual(
      aborted("The edit was cancelled."),
    );
    expect(decode).not.toHaveBeenCalled();
  });

  it("ends an edit that waits for another at once, and the other goes on", async () => {
    const controller = new AbortController();
    const ended: string[] = [];
    const onStep = ({ step }: EditStep): void => {
      if (step === 1) controller.abort();
    };
    const running = engine.edit(base, { onStep }).then(() => ended.push("running"));
    const waiting = engine.edit(base, { signal: controller.signal }).catch((error: unknown) => {
      ended.push("waiting");
      return error;
    });
    const last = engine.edit(base).then(() => ended.push("last"));
    expect(await waiting).toEqual(aborted("The edit was cancelled."));
    await Promise.all([running, last]);
    expect(ended).toEqual(["waiting", "running", "last"]);
  });

  it("that comes after the edit has no effect", async () => {
    const controller = new AbortController();
    await engine.edit(base, { signal: controller.signal });
    controller.abort();
    expect(await edit()).toMatchObject({ width: 64 });
  });
});

describe("closing an engine", () => {
  it("waits for the running edit, may be done twice, and ends further edits", async () => {
    const closing = await open("plain");
    const running = closing.edit(base);
    const closed = [closing.close(), closing.close()];
    await expect(closing.edit(base)).rejects.toEqual(aborted("The engine is closed."));
    expect((await running).width).toBe(64);
    await Promise.all(closed);
    await closing.close();
    await expect(closing.edit(base)).rejects.toEqual(aborted("The engine is closed."));
  });
});

describe("a checkpoint whose weights do not fit its configuration", () => {
  const TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors";

  it("does without a weight too many, and says so", async () => {
    const checkpoint = await copyOfCheckpoint("plain");
    const key = "transformer_blocks.2.attn.to_q.bias";
    await changeSafetensors(path.join(checkpoint, TRANSFORMER), (tensors) => {
      tensors[key] = tensors["proj_out.bias"]!;
    });
    const engine = await createEngine({ checkpoint, threads: 1, safety: { isOn: false } });
    expect(engine.checkpoint.notices).toEqual([
      `transformer: the network does without ${key}, for which its configuration has no place.`,
    ]);
    await engine.close();
  });

  it.each<[string, Parameters<typeof changeSafetensors>[1], string]>([
    [
      "a weight too few",
      (tensors) => delete tensors["transformer_blocks.1.attn.to_q.bias"],
      "transformer: the weight transformer_blocks.1.attn.to_q.bias [24] is missing.",
    ],
    [
      "a weight of another shape",
      (tensors) => (tensors["proj_out.weight"]!.shape = [24, 16]),
      "transformer: the weight proj_out.weight has the shape [24, 16] where the configuration asks for [16, 24].",
    ],
  ])("is refused with %s", async (_, change, sentence) => {
    const checkpoint = await copyOfCheckpoint("plain");
    await changeSafetensors(path.join(checkpoint, TRANSFORMER), change);
    await expect(createEngine({ checkpoint, threads: 1 })).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", sentence),
    );
  });

  it("is read again when it was written anew without a change", async () => {
    const checkpoint = await copyOfCheckpoint("plain");
    await changeSafetensors(path.join(checkpoint, TRANSFORMER), () => {});
    const copy = await createEngine({ checkpoint, threads: 1 });
    expect((await copy.edit(base)).image).toEqual((await engine.edit(base)).image);
    await copy.close();
  });
});

describe("a checkpoint whose weights overflow", () => {
  it("fails the edit instead of drawing a black picture", async () => {
    const checkpoint = await copyOfCheckpoint("plain");
    await changeSafetensors(
      path.join(checkpoint, "vae", "diffusion_pytorch_model.safetensors"),
      (tensors) => {
        tensors["decoder.conv_out.bias"]!.bytes = new Uint8Array(Float32Array.of(NaN, NaN, NaN).buffer);
      },
    );
    const broken = await createEngine({ checkpoint, threads: 1 });
    await expect(broken.edit({ ...base, numSteps: 1 })).rejects.toThrow(
      refusal(
        "RUNTIME_FAILED",
        "The networks produced values that are not finite: the checkpoint's weights overflow.",
      ),
    );
    await broken.close();
  });
});
