/**
 * A second model family needs no line of `src`: a pipeline of this folder edits two images through the engine, the
 * command and the service.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runEdit } from "../../src/cli/edit.ts";
import { createEngine } from "../../src/engine/engine.ts";
import { compile } from "../../tools/compile.mjs";
import { root } from "../support/fixtures.ts";
import { call, realEngine, startTestService } from "../support/service.ts";
import { refusal } from "../support/refusal.ts";
import { float32, writeSafetensors } from "../support/safetensors.ts";
import { PIPELINES } from "./example/pipeline.ts";

/** Red of the first image, green and blue of the second. */
const WEIGHTS = [
  [1, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 1, 0],
  [0, 0, 0, 0, 0, 1],
];
const RED = [200, 10, 20] as const;
const TEAL = [5, 120, 140] as const;
const MIXED = [200, 120, 140] as const;

let folder: string;
let images: Uint8Array[];
const fileOf = (name: string): string => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
  await mkdir(fileOf("mix"));
  await writeFile(fileOf("model_index.json"), JSON.stringify({ _class_name: "ExamplePipeline" }));
  const weight = float32(WEIGHTS.flat(), [3, 6, 1, 1]);
  await writeSafetensors(fileOf("mix/model.safetensors"), { weight });
  images = await Promise.all(
    [RED, TEAL].map(([r, g, b]) =>
      sharp({ create: { width: 24, height: 16, channels: 3, background: { r, g, b } } })
        .png()
        .toBuffer(),
    ),
  );
  await Promise.all(images.map((image, index) => writeFile(fileOf(`${index}.png`), image)));
});

afterAll(() => rm(folder, { recursive: true }));

async function expectMixed(image: Uint8Array): Promise<void> {
  const { data, info } = await sharp(image).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([24, 16]);
  for (let at = 0; at < data.length; at += 3) {
    for (const [channel, value] of MIXED.entries()) {
      expect(Math.abs(data[at + channel]! - value)).toBeLessThanOrEqual(1);
    }
  }
}

it("edits two images through the engine, and says what it does not take", async () => {
  const engine = await createEngine({ checkpoint: folder, threads: 1, safety: { isOn: false } }, PIPELINES);
  try {
    expect(engine.checkpoint).toMatchObject({ nativeSize: 32, grid: 1, weights: {} });
    const steps: number[] = [];
    const request = { prompt: "mix", numSteps: 3, seed: 1 };
    const { image } = await engine.edit(
      { ...request, image: images },
      { onStep: ({ step }) => void steps.push(step) },
    );
    await expectMixed(image);
    expect(steps).toEqual([1, 2, 3]);
    await expect(engine.edit({ ...request, image: [...images, images[0]!] })).rejects.toEqual(
      refusal("INVALID_PARAMETER", "image must be at most 2 images, not 3."),
    );
    await expect(engine.edit({ ...request, image: images, mask: images[0] })).rejects.toEqual(
      refusal("INVALID_PARAMETER", "mask is not supported: the model of this checkpoint takes none."),
    );
    await expect(engine.edit({ ...request, image: [] })).rejects.toEqual(
      refusal("INVALID_PARAMETER", "image is missing."),
    );
  } finally {
    await engine.close();
  }
});

it("is unknown to an engine that was not given it", async () => {
  await expect(createEngine({ checkpoint: folder, safety: { isOn: false } })).rejects.toEqual(
    refusal(
      "CHECKPOINT_UNSUPPORTED",
      /is a ExamplePipeline; a FluxKontextPipeline, a Flux2KleinPipeline or a Flux2KleinKVPipeline is wanted\.$/,
    ),
  );
});

it("edits two images through the command", async () => {
  const output = fileOf("command.png");
  const flags = { output, image: [fileOf("1.png")], steps: 2, checkpoint: folder, threads: 1, quiet: true };
  const { signal } = new AbortController();
  await runEdit(
    [fileOf("0.png")],
    "mix",
    { ...flags, safetyChecker: false, keepUnchanged: false },
    { signal, pipelines: PIPELINES },
  );
  await expectMixed(await readFile(output));
});

it("is served beside the checkpoint that ships, each with what it takes", async () => {
  const module = await compile("test/pipelines/example/pipeline.ts");
  const both = fileOf("both.mjs");
  const shipped = pathToFileURL(path.join(root, "dist", "pipelines", "index.js"));
  await writeFile(
    both,
    `import { PIPELINES as shipped } from ${JSON.stringify(shipped.href)};
     import { PIPELINES as example } from ${JSON.stringify(pathToFileURL(module).href)};
     export const PIPELINES = [...shipped, ...example];`,
  );
  const service = await startTestService({
    database: "PGlite",
    engine: realEngine,
    pipelinesModule: pathToFileURL(both),
    settings: {
      RETOUCH_MODELS: `mixer=${folder}`,
      RETOUCH_SAFETY: "off",
      RETOUCH_MIN_SIDE: "16",
      RETOUCH_MODEL_TURN: "0ms",
    },
  });
  try {
    const mixer = `${service.address}/v2/mixer`;
    const [first, second] = images.map(
      (image) => `data:image/png;base64,${Buffer.from(image).toString("base64")}`,
    );
    const input = { prompt: "mix", size: "24*16", num_inference_steps: 2, enable_base64_output: true };
    const mix = { ...input, image: [first, second] };
    const shippedInput = { ...input, image: [first], size: "64*64" };
    // By turns, whatever order they come in.
    const queued = await Promise.all(
      Array.from({ length: 4 }, (_, at) =>
        at % 2 === 0
          ? call(`${service.endpoint}/runsync?wait=100000`, { body: { input: shippedInput } })
          : call(`${mixer}/runsync?wait=100000`, { body: { input: mix } }),
      ),
    );
    for (const [at, { body }] of queued.entries()) {
      expect(body).toMatchObject({
        status: "COMPLETED",
        output: { model: at % 2 === 0 ? "tiny" : path.basename(folder) },
      });
      if (at % 2 === 1) await expectMixed(Buffer.from(body.output.image_url.split(",")[1], "base64"));
    }
    const tooMany = await call(`${service.endpoint}/run`, { body: { input: mix } });
    expect([tooMany.status, tooMany.body.error]).toEqual([
      400,
      "image must be one image, not 2, because the model was trained on one; image_layout index, offset or stitch accepts several anyway.",
    ]);
  } finally {
    await service.close();
  }
});

it("edits two images through the service", async () => {
  const service = await startTestService({
    database: "PGlite",
    engine: realEngine,
    pipelinesModule: pathToFileURL(await compile("test/pipelines/example/pipeline.ts")),
    settings: { RETOUCH_CHECKPOINT: folder, RETOUCH_SAFETY: "off", RETOUCH_MIN_SIDE: "16" },
  });
  try {
    const data = images.map((image) => `data:image/png;base64,${Buffer.from(image).toString("base64")}`);
    const input = { prompt: "mix", size: "24*16", num_inference_steps: 2, enable_base64_output: true };
    const done = await service.call("/runsync", { body: { input: { ...input, images: data } } });
    expect(done.body).toMatchObject({ status: "COMPLETED" });
    await expectMixed(Buffer.from(done.body.output.image_url.split(",")[1], "base64"));
    const refused = await service.call("/run", { body: { input: { ...input, images: [...data, data[0]] } } });
    expect([refused.status, refused.body.error]).toEqual([
      400,
      "images must be a list of at most 2 strings.",
    ]);
  } finally {
    await service.close();
  }
});
