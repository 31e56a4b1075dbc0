/** What a job's surroundings do to it: its source, its signal, its storage. The networks are the engine's tests. */
import { setTimeout as delay } from "node:timers/promises";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { encodeMap } from "../../src/images/encode.ts";
import type { GrayPicture, Picture } from "../../src/images/picture.ts";
import { filesOf, type JobEdit, type JobProgress, type JobResult } from "../../src/jobs/job.ts";
import type { EditOptions, EditResult } from "../../src/engine/run-edit.ts";
import { imagesOf, resolveRequest, type EditRequest, type Size } from "../../src/engine/request.ts";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { createAgents } from "../../src/net/agents.ts";
import { createKey } from "../../src/storage/storage.ts";
import { type EditJobDependencies, type EditJobOptions, runEditJob } from "../../src/worker/edit-job.ts";
import type { EditStage } from "../../src/worker/protocol.ts";
import { Stopwatch } from "../../src/engine/stopwatch.ts";
import { noise } from "../images/samples.ts";
import { refusal } from "../support/refusal.ts";
import { editOf, keysOf, serve, setupFor, workplace } from "./samples.ts";

const RESULT = new Uint8Array([1, 2, 3]);
/** Of these bytes, by sha256sum. */
const DIGEST = "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81";

/** An engine that reads the picture and draws nothing. */
function stillEngine(
  changes: Partial<EditResult> = {},
  { stepMs = 0, sketchMs = 0 } = {},
): EditJobDependencies["engine"] {
  return {
    checkpoint: {
      folder: "/checkpoints/still",
      name: "still",
      isDemo: false,
      nativeSize: 128,
      grid: 16,
      scale: { nativeArea: 128 ** 2, grid: 16 },
      weights: { transformer: "fp32", t5: "fp32" },
    },
    async edit(request: EditRequest, { onStep }: EditOptions = {}) {
      const { width, height } = await decodePicture(imagesOf(request)[0]!);
      const resolved = resolveRequest(request);
      for (let step = 1; step <= resolved.numSteps; step += 1) {
        if (stepMs > 0) await delay(stepMs);
        const sketch = (): Promise<Picture> => delay(sketchMs, noise(64, 48));
        await onStep?.({ step, of: resolved.numSteps, sketch } as never);
      }
      const size = request.size as Size;
      return {
        image: RESULT,
        images: [RESULT],
        results: [{ image: RESULT, seed: resolved.seed, kept: changes.kept, safety: changes.safety }],
        format: resolved.format,
        ...size,
        parameters: { ...resolved, size, negativePrompt: "", trueCfgScale: 1 },
        workingSize: { width: 32, height: 24 },
        referenceSize: { width, height },
        referenceSizes: [{ width, height }],
        notices: ["A notice."],
        arithmetic: "fp32",
        seconds: { total: 2, denoise: 1.5, parts: new Stopwatch().seconds },
        ...changes,
      };
    },
  };
}

async function prepare(options: { allowed?: string[]; engine?: EditJobDependencies["engine"] } = {}) {
  const { storage, image } = await workplace();
  const agents = createAgents(createAddressPolicy(options.allowed ?? ["127.0.0.1"]));
  const dependencies: EditJobDependencies = {
    engine: options.engine ?? stillEngine(),
    storage,
    agents,
    limits: setupFor(""),
  };
  const controller = new AbortController();
  const progress: JobProgress[] = [];
  const stages: EditStage[] = [];
  const waits: string[] = [];
  const run = (edit: JobEdit, how: Pick<EditJobOptions, "room"> = {}): Promise<JobResult> =>
    runEditJob(dependencies, edit, {
      ...how,
      signal: controller.signal,
      owner: "key",
      onProgress: (latest) => progress.push(latest),
      onStage: (stage) => stages.push(stage),
      onWaiting: (detail) => waits.push(detail),
    }).then(({ result }) => result);
  return { dependencies, storage, image, controller, progress, stages, waits, run };
}

describe("a job", () => {
  it("edits a stored picture, stores the result and says everything that was in effect", async () => {
    const { run, storage, image } = await prepare();
    const result = await run(editOf(image));
    const [key] = await keysOf(storage, "outputs");
    expect(result).toEqual({
      image: { kind: "stored", key, bytes: RESULT.byteLength, sha256: DIGEST },
      format: "png",
      size: { width: 64, height: 48 },
      workingSize: { width: 32, height: 24 },
      referenceSize: { width: 64, height: 64 },
      seed: 7,
      numSteps: 4,
      guidance: 2,
      isNegativeUsed: false,
      trueCfgScale: 1,
      loras: [],
      model: "still",
      precision: "float32",
      safetyScore: undefined,
      notices: ["A notice."],
      cost: 0.000092,
    });
    expect(Uint8Array.from((await storage.get(key!))!.bytes)).toEqual(RESULT);
  });

  it("costs what the network drew where the result has all of the image's pixels", async () => {
    const whole = { width: 6000, height: 4000 };
    const result = { image: RESULT, seed: 7 };
    const { run, image } = await prepare({
      engine: stillEngine({ ...whole, images: [RESULT, RESULT], results: [result, { ...result, seed: 8 }] }),
    });
    // 32 x 24 working pixels at 0.03 a megapixel are 0.000023, twice.
    expect(await run(editOf(image, { size: "source", numImages: 2 }))).toMatchObject({
      size: whole,
      cost: 0.000046,
    });
    expect((await run(editOf(image, { size: { width: 64, height: 48 }, numImages: 2 }))).cost).toBe(1.44);
  });

  it("refuses results that the disk has no room for, before the edit", async () => {
    const { dependencies, run, image, storage } = await prepare();
    const asked: number[] = [];
    dependencies.freeSpace = {
      async admit(bytes) {
        asked.push(bytes);
        throw new RetouchError("DISK_FULL", "Full.");
      },
    };
    const size = { width: 4000, height: 4000 };
    await expect(run(editOf(image, { size, numImages: 2 }))).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "size: 2 results of 4000 x 4000 pixels take about 84.0 MB, for which there is no room.",
      ),
    );
    await run(editOf(image, { size: "source", numImages: 8 }));
    expect(asked).toEqual([84e6]);
    expect(await keysOf(storage, "outputs")).toHaveLength(1);
  });

  it("refuses results that the key has no room for, before the edit, unless they go elsewhere", async () => {
    const { run, image, storage } = await prepare();
    const size = { width: 4000, height: 4000 };
    const room = { bytes: 84e6 - 1, fullText: "All is full." };
    const sentence =
      "size: 2 results of 4000 x 4000 pixels take about 84.0 MB, for which there is no room: All is full.";
    await expect(run(editOf(image, { size, numImages: 2 }), { room })).rejects.toEqual(
      refusal("QUOTA_EXCEEDED", sentence),
    );
    expect(await keysOf(storage, "outputs")).toEqual([]);
    await run(editOf(image, { size, numImages: 2 }), { room: { ...room, bytes: 84e6 } });
    expect(await keysOf(storage, "outputs")).toHaveLength(1);
  });

  it("hands LoRAs to the engine and says which were used", async () => {
    const { run, image } = await prepare();
    const loras = [{ name: "ink", scale: 0.5 }];
    expect((await run(editOf(image, { loras }))).loras).toEqual(loras);
  });

  it("passes on what was reused, and counts the computed steps of a result for the speed", async () => {
    const acceleration = { computedSteps: 24, reusedSteps: 32, estimatedPsnr: 41.2 };
    const both = [7, 8].map((seed) => ({ image: RESULT, seed }));
    const { image, storage, dependencies } = await prepare();
    const still = stillEngine();
    const engine: EditJobDependencies["engine"] = {
      ...still,
      edit: async (...given) => ({
        ...(await still.edit(...given)),
        acceleration,
        images: both.map((one) => one.image),
        results: both,
      }),
    };
    const { result, timing } = await runEditJob({ ...dependencies, engine }, editOf(image), {
      signal: new AbortController().signal,
      onProgress: () => {},
      owner: "key",
    });
    expect(result.acceleration).toEqual(acceleration);
    expect(timing.numSteps).toBe(12);
    expect(await keysOf(storage, "outputs")).toHaveLength(2);
  });

  it("passes the safety score on", async () => {
    const { run, image } = await prepare({ engine: stillEngine({ safety: { score: 0.1, threshold: 0.7 } }) });
    expect((await run(editOf(image))).safetyScore).toBe(0.1);
  });

  it("passes on what was kept, with a picture of where", async () => {
    const mask = { width: 4, height: 2, data: Uint8Array.of(255, 255, 255, 0, 255, 255, 0, 0) };
    const { run, image } = await prepare({
      engine: stillEngine({
        kept: { changedShare: 0.375, mask, shares: { kept: 0.625, carried: 0.25, drawn: 0.125 } },
      }),
    });
    const { changedShare, unchangedMask } = await run(editOf(image, { isUnchangedKept: true }));
    expect(changedShare).toBe(0.375);
    const bytes = Buffer.from(unchangedMask!.replace("data:image/png;base64,", ""), "base64");
    const pixels = await sharp(bytes).toColourspace("b-w").raw().toBuffer();
    expect(Uint8Array.from(pixels)).toEqual(mask.data);
  });

  it("stores a result that is asked for inline where no address leads to", async () => {
    const { run, storage, image } = await prepare();
    const result = await run(editOf(image, { isInlineResult: true, format: "jpeg" }));
    const [key] = await keysOf(storage, "inline");
    expect(result.image).toEqual({ kind: "embedded", key, bytes: 3, sha256: DIGEST });
    expect(key).toMatch(/^inline\/.*\.jpeg$/);
    expect(await keysOf(storage, "outputs")).toEqual([]);
  });

  it("reports its begin and its last step, and leaves out steps that follow within a tenth of a second", async () => {
    const { run, image, progress } = await prepare();
    await run(editOf(image, { numSteps: 50 }));
    expect(progress[0]).toEqual({ step: 0, of: 50 });
    expect(progress.at(-1)).toEqual({ step: 50, of: 50 });
    expect(progress.length).toBeLessThan(10);
  });

  it("carries small previews with its progress where that is asked for, but not with the last", async () => {
    const { run, image, progress } = await prepare({ engine: stillEngine({}, { stepMs: 110 }) });
    await run(editOf(image, { isPreviewed: true, numSteps: 3 }));
    expect(progress.map(({ step, preview }) => [step, preview !== undefined])).toEqual([
      [0, false],
      [1, true],
      [2, expect.any(Boolean)],
      [3, false],
    ]);
    const bytes = Buffer.from(progress[1]!.preview!.replace("data:image/jpeg;base64,", ""), "base64");
    expect(await sharp(bytes).metadata()).toMatchObject({ format: "jpeg", width: 64, height: 48 });
    expect(bytes.byteLength).toBeLessThanOrEqual(6000);

    progress.length = 0;
    await run(editOf(image, { isPreviewed: false, numSteps: 3 }));
    expect(progress.map(({ preview }) => preview)).toEqual([undefined, undefined, undefined, undefined]);
  });

  it("has no preview again before thirty times the last one's time is over", async () => {
    const { run, image, progress } = await prepare({
      engine: stillEngine({}, { stepMs: 110, sketchMs: 100 }),
    });
    await run(editOf(image, { isPreviewed: true, numSteps: 5 }));
    expect(progress.map(({ preview }) => preview !== undefined)).toEqual([
      false,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe("a job with several results", () => {
  const kept = {
    changedShare: 0.5,
    mask: { width: 1, height: 1, data: Uint8Array.of(255) },
    shares: { kept: 0.5, carried: 0.25, drawn: 0.25 },
  };
  const three = (map?: GrayPicture): Partial<EditResult> => {
    const results = [5, 6, 7].map((seed) => ({
      image: Uint8Array.of(seed, seed),
      seed,
      kept: { ...kept, map },
      safety: { score: seed / 100, threshold: 0.7 },
    }));
    return { results, images: results.map(({ image }) => image) };
  };
  const edit = { numImages: 3, seed: 5 };

  it("stores them all, and says what belongs to each", async () => {
    const { run, storage, image } = await prepare({ engine: stillEngine(three()) });
    const { images, image: first, cost } = await run(editOf(image, edit));
    expect(images).toHaveLength(3);
    expect(images![0]!.image).toEqual(first);
    for (const [index, one] of images!.entries()) {
      const seed = 5 + index;
      expect(one).toMatchObject({ seed, safetyScore: seed / 100, changedShare: 0.5 });
      expect(one.unchangedMask).toMatch(/^data:image\/png;base64,/);
      const { key, bytes } = one.image as { key: string; bytes: number };
      expect(bytes).toBe(2);
      expect([...(await storage.get(key))!.bytes]).toEqual([seed, seed]);
    }
    expect((await keysOf(storage, "outputs")).length).toBe(3);
    // Each costs what one costs.
    expect(cost).toBe(3 * 0.000092);
  });

  it("stores a map of each, which are among the files of the result", async () => {
    const map = { width: 2, height: 1, data: Uint8Array.of(255, 128) };
    const { run, storage, image } = await prepare({ engine: stillEngine(three(map)) });
    const result = await run(editOf(image, { ...edit, isUnchangedKept: true, isMaskWanted: true }));
    const { images } = result;
    expect(result.mask).toEqual(images![0]!.mask);
    for (const { mask, preserveShares } of images!) {
      expect(preserveShares).toEqual(kept.shares);
      const { key } = mask as { key: string };
      expect(new Uint8Array((await storage.get(key))!.bytes)).toEqual(await encodeMap(map));
    }
    const files = filesOf(result).map((file) => (file as { key: string }).key);
    expect(files.toSorted()).toEqual((await keysOf(storage, "outputs")).toSorted());
    expect(new Set(files).size).toBe(6);
  });

  it("counts the steps of all of them", async () => {
    const engine = stillEngine(three());
    const editOne = engine.edit.bind(engine);
    engine.edit = async (request, options = {}) => {
      for (const image of [0, 1]) {
        await editOne(request, { onStep: (step) => options.onStep?.({ ...step, image }) });
        await delay(110);
      }
      return editOne(request, { onStep: (step) => options.onStep?.({ ...step, image: 2 }) });
    };
    const { run, image, progress } = await prepare({ engine });
    await run(editOf(image, { ...edit, numSteps: 4 }));
    expect(progress).toEqual([
      { step: 0, of: 12 },
      { step: 5, of: 12 },
      { step: 9, of: 12 },
      { step: 12, of: 12 },
    ]);
  });

  it("leaves none of them where it is cancelled before the last is stored", async () => {
    const { run, dependencies, storage, image, controller } = await prepare({ engine: stillEngine(three()) });
    let puts = 0;
    dependencies.storage = {
      ...storage,
      async put(key, bytes) {
        puts += 1;
        if (puts === 3) controller.abort();
        await storage.put(key, bytes);
      },
    };
    await expect(run(editOf(image, edit))).rejects.toEqual(refusal("ABORTED", "The job was cancelled."));
    await expect.poll(() => keysOf(storage, "outputs")).toEqual([]);
    expect(puts).toBe(3);
  });

  it("stores all of them without an address where they are asked for inline", async () => {
    const { run, storage, image } = await prepare({ engine: stillEngine(three()) });
    const { images } = await run(editOf(image, { ...edit, isInlineResult: true }));
    expect(images!.map(({ image: { kind } }) => kind)).toEqual(["embedded", "embedded", "embedded"]);
    expect((await keysOf(storage, "inline")).length).toBe(3);
  });
});

describe("a job's picture", () => {
  it("is refused where it is no longer stored", async () => {
    const { run } = await prepare();
    await expect(run(editOf({ kind: "stored", key: createKey("inputs", "bin") }))).rejects.toEqual(
      refusal("IMAGE_UNREADABLE", "image: the image is no longer there."),
    );
  });

  it("is no reason to fail where our storage is away", async () => {
    const { run, dependencies, storage, image } = await prepare();
    const cause = new RetouchError("STORAGE_UNAVAILABLE", "RETOUCH_S3_BUCKET: there is no such bucket.");
    const away = (): Promise<never> => Promise.reject(cause);
    dependencies.storage = { ...storage, get: away, check: away };
    const failed = run(editOf(image));
    await expect(failed).rejects.toEqual(
      refusal("STORAGE_UNAVAILABLE", "image: the image cannot be read at the moment."),
    );
    await expect(failed).rejects.toMatchObject({ cause });
  });
});

describe("a job's result", () => {
  it("is deleted when the job was cancelled while it was stored", async () => {
    const { run, dependencies, storage, image, controller } = await prepare();
    let isDeleted = false;
    dependencies.storage = {
      get: storage.get,
      check: storage.check,
      async put(key, bytes) {
        controller.abort();
        await storage.put(key, bytes);
      },
      async delete(key) {
        await storage.delete(key);
        isDeleted = true;
      },
    };
    await expect(run(editOf(image))).rejects.toEqual(refusal("ABORTED", "The job was cancelled."));
    await expect.poll(() => isDeleted).toBe(true);
    expect(await keysOf(storage, "outputs")).toEqual([]);
  });

  it("waits until our storage takes it, and says so each time that it does not", async () => {
    const { run, dependencies, storage, image, waits, stages } = await prepare();
    const cause = new RetouchError("STORAGE_UNAVAILABLE", "RETOUCH_S3_BUCKET: there is no such bucket.");
    dependencies.storage = {
      ...storage,
      put: (key, bytes) => (waits.length < 1 ? Promise.reject(cause) : storage.put(key, bytes)),
    };
    const { image: stored } = await run(editOf(image));
    expect(await keysOf(storage, "outputs")).toEqual([stored.kind === "stored" && stored.key]);
    expect(waits).toEqual([expect.stringContaining("RETOUCH_S3_BUCKET: there is no such bucket.")]);
    expect(stages).toEqual(["reading", "editing", "storing"]);
  });

  it("goes into the caller's bucket with its map, and nothing of either into our storage", async () => {
    const map = { width: 2, height: 1, data: Uint8Array.of(255, 128) };
    const mask = { width: 1, height: 1, data: Uint8Array.of(255) };
    const kept = { changedShare: 0, mask, shares: { kept: 1, carried: 0, drawn: 0 }, map };
    const { run, storage, image } = await prepare({ engine: stillEngine({ kept }) });
    const names: string[] = [];
    const endpointUrl = await serve((request, answer) => {
      names.push(new URL(request.url!, "http://bucket").pathname);
      request.resume().on("end", () => answer.end());
    });
    const keys = { accessId: "id", accessSecret: "its-secret" };
    const bucket = { ...keys, bucketName: "pictures", endpointUrl, objectPath: "a/b.png" };
    const result = await run(editOf(image, { bucket, isMaskWanted: true, isUnchangedKept: true }));
    expect(names).toEqual(["/pictures/a/b.png", "/pictures/a/b-mask.png"]);
    expect([result.image, result.mask]).toMatchObject([
      { kind: "address", url: expect.stringContaining("/pictures/a/b.png?") },
      { kind: "address", url: expect.stringContaining("/pictures/a/b-mask.png?") },
    ]);
    expect(await keysOf(storage, "outputs")).toEqual([]);
  });

  it("fails in a sentence about s3Config where the caller's bucket does not take it", async () => {
    const { run, storage, image } = await prepare();
    const endpointUrl = await serve((_, answer) => {
      answer.statusCode = 403;
      answer.end("<Error><Code>InvalidAccessKeyId</Code><Message>who?</Message></Error>");
    });
    const bucket = {
      accessId: "id",
      accessSecret: "its-secret",
      bucketName: "pictures",
      endpointUrl,
      objectPath: "",
    };
    const failed = run(editOf(image, { bucket }));
    await expect(failed).rejects.toEqual(refusal("BUCKET_UNAVAILABLE", /^s3Config\b.*\.$/));
    await expect(failed).rejects.not.toMatchObject({ message: expect.stringContaining("its-secret") });
    expect(await keysOf(storage, "outputs")).toEqual([]);
  });
});
