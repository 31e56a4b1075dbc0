import { copyFile, cp, rm, stat } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { sectionsJson, sectionsText } from "../../src/cli/doctor/doctor.ts";
import { examineCheckpoint, readSubject } from "../../src/cli/doctor/checkpoint.ts";
import { examineMachine } from "../../src/cli/doctor/machine.ts";
import { examineWeights, timeText } from "../../src/cli/doctor/weights.ts";
import { CPU, CPU_SPEED } from "../support/device-speeds.ts";
import { fixtures } from "../support/fixtures.ts";
import type { MeasuredDevice } from "../../src/engine/measured-devices.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const PUBLISHED = "black-forest-labs/FLUX.1-Kontext-dev";
const KLEIN = "black-forest-labs/FLUX.2-klein-4B";
const kleinFolder = (name: string): string => path.join(fixtures, "klein", "checkpoints", name);

describe("retouch doctor", () => {
  it("prints sections with aligned lines, or one JSON object with a field for each", () => {
    const sections = [
      { title: "One", name: "one", lines: [["a", "1"], ["longer", "2\n3"], "A sentence."], facts: { a: 1 } },
      { title: "Two", name: "two", lines: [], facts: [2] },
    ] as const;
    expect(sectionsText(sections)).toBe("One\n  a       1\n  longer  2 3\n  A sentence.\n\nTwo\n");
    expect(sectionsJson(sections)).toBe('{"one":{"a":1},"two":[2]}\n');
  });

  it("describes this machine", async () => {
    const { lines, facts } = await examineMachine();
    expect(lines.map(([label]) => label)).toEqual([
      "system",
      "processor",
      "instructions",
      "memory",
      "free disk",
    ]);
    expect(facts).toMatchObject({ processor: { model: expect.any(String) }, diskBytes: expect.any(Number) });
  });

  it("has the sizes of the checkpoint that ships, and of its files", async () => {
    const { title, facts } = await examineCheckpoint(await readSubject({}));
    expect(title).toBe("Checkpoint tiny");
    expect(facts).toMatchObject({
      components: {
        transformer: { parameters: 11_226_432, fileBytes: 22_471_408 },
        vae: { fileBytes: 3_367_558 },
      },
    });
  });

  it("has a single file's size in the place of the folder's text encoder", async () => {
    const textEncoder = path.join(fixtures, "gguf", "t5.gguf");
    const checkpoint = path.join(fixtures, "checkpoints", "sharded");
    const { facts } = await examineCheckpoint(await readSubject({ checkpoint, textEncoder }));
    const { size } = await stat(textEncoder);
    expect(facts).toMatchObject({ components: { text_encoder_2: { fileBytes: size } } });
  });

  it.each([
    [PUBLISHED, "11.90 billion weights", "text_encoder_2"],
    [KLEIN, "3.88 billion weights", "text_encoder"],
  ])("knows %s without having it", async (model, transformer, textEncoder) => {
    const { lines, facts } = await examineCheckpoint(await readSubject({ model }));
    expect(lines).toContainEqual(["transformer", transformer]);
    expect(lines.at(-1)).toBe("Known by its published sizes; retouch pull downloads it.");
    expect(facts).toMatchObject({
      name: model,
      folder: null,
      components: { [textEncoder]: { fileBytes: null } },
    });
  });

  it("knows no other model", async () => {
    await expect(readSubject({ model: "org/other" })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        `--model must be ${PUBLISHED} or ${KLEIN}, whose sizes are known without the files; --checkpoint takes others.`,
      ),
    );
  });

  it.each([
    [PUBLISHED, 128, "fp32"],
    [PUBLISHED, 64, "int8"],
    [PUBLISHED, 24, "int8"],
    [PUBLISHED, 10, "int4"],
    [PUBLISHED, 4, undefined],
    [KLEIN, 64, "fp32"],
    [KLEIN, 24, "int8"],
    [KLEIN, 6, "int4"],
    [KLEIN, 4, undefined],
    [KLEIN, 2, undefined],
  ])("recommends for %s in %d GB: %s", async (model, gigabytes, kind) => {
    const { facts } = await examineWeights(await readSubject({ model, memoryLimit: gigabytes * 1e9 }), [CPU]);
    expect(facts).toMatchObject({ recommended: kind });
  });

  it.each([
    [4, /^Without --weights, nothing fits an edit of 1024x1024; --weights takes what fits above\.$/],
    [1, /^Nothing fits: [\d.]+ GB are the least\.$/],
  ])("says what to do where auto finds nothing in %d GB", async (gigabytes, sentence) => {
    const { lines } = await examineWeights(
      await readSubject({ model: KLEIN, memoryLimit: gigabytes * 1e9 }),
      [CPU],
    );
    expect(lines.at(-1)).toMatch(sentence);
  });

  it.each([
    [{ model: PUBLISHED }, "one image in 28 steps", { numImages: 1, numSteps: 28, isNegativeUsed: false }],
    [{ model: KLEIN }, "one image in 4 steps", { numImages: 1, numSteps: 4, isNegativeUsed: false }],
    [{ model: KLEIN, images: 3 }, "3 images in 4 steps", { numImages: 3, numSteps: 4 }],
    [{ model: KLEIN, images: 0 }, "no image in 4 steps", { numImages: 0, numSteps: 4 }],
    [{ checkpoint: kleinFolder("plain") }, "one image in 4 steps", { numSteps: 4, isNegativeUsed: false }],
    [
      { checkpoint: kleinFolder("odd") },
      "one image in 50 steps of two passes",
      { numSteps: 50, isNegativeUsed: true },
    ],
  ])("estimates the edit that %j makes by default: %s", async (asked, text, edit) => {
    const { title, facts } = await examineWeights(await readSubject({ ...asked, memoryLimit: 24e9 }), [CPU]);
    expect(title).toBe(`Weights: estimates for an edit of ${text}`);
    expect(facts).toMatchObject({ edit });
  });

  it.each([
    [{ model: PUBLISHED, images: 2 }, "1"],
    [{ model: KLEIN, images: 5 }, "a whole number from 0 to 4"],
    [{ model: KLEIN, images: 1.5 }, "a whole number from 0 to 4"],
  ])("refuses the images of %j", async (asked, accepted) => {
    await expect(readSubject(asked)).rejects.toEqual(
      refusal("INVALID_PARAMETER", `--images must be ${accepted} for this model, not ${asked.images}.`),
    );
  });

  it("has more to compute and to hold the more images there are", async () => {
    const editOf = async (images: number) => {
      const { facts } = await examineWeights(await readSubject({ model: KLEIN, images, memoryLimit: 24e9 }), [
        CPU,
      ]);
      const { kinds } = facts as {
        kinds: { edits: { peakBytes: number; times: { seconds: number }[] }[] }[];
      };
      const { peakBytes, times } = kinds[0]!.edits[1]!;
      return { peakBytes, seconds: times[0]!.seconds };
    };
    const [none, one, four] = [await editOf(0), await editOf(1), await editOf(4)];
    expect(one.seconds).toBeGreaterThan(1.5 * none.seconds);
    expect(four.seconds).toBeGreaterThan(2.5 * one.seconds);
    expect(four.peakBytes).toBeGreaterThan(one.peakBytes);
  });

  it("estimates an edit on each device that was measured", async () => {
    const gpu: MeasuredDevice = {
      device: "webgpu",
      isInstalled: true,
      isUsable: true,
      speed: {
        ...CPU_SPEED,
        products: { float32: 5e12, int8: 4e12 },
        attention: { float32: 2e12 },
        convolutions: 3e12,
        upBytes: 2e9,
        downBytes: 1e9,
      },
    };
    const broken: MeasuredDevice = { device: "cuda", isInstalled: true, isUsable: false, reason: "no GPU" };
    const subject = await readSubject({ model: KLEIN, memoryLimit: 64e9 });
    const { lines, facts } = await examineWeights(subject, [CPU, broken, gpu]);
    const texts = new Map(lines.flatMap((line) => (typeof line === "string" ? [] : ([line] as const))));
    expect(texts.get("fp32")).toMatch(
      /^512x512: [\d.]+ GB, about [\d.]+ min on cpu, about [\d.]+ s on webgpu once loaded in [\d.]+ s; /,
    );
    expect(texts.get("int4")).toMatch(/ on cpu, no estimate on webgpu; /);
    expect(facts).toMatchObject({
      kinds: [
        {
          kind: "fp32",
          edits: [
            {
              size: { width: 512, height: 512 },
              times: [
                { device: "cpu", loadSeconds: 0, seconds: expect.any(Number) },
                { device: "webgpu", loadSeconds: expect.any(Number), seconds: expect.any(Number) },
              ],
            },
            { size: { width: 1024, height: 1024 } },
          ],
        },
        {},
        {},
        {},
        { kind: "int4", edits: [{ times: [{}, { device: "webgpu", seconds: null }] }, {}] },
      ],
    });
    expect((await examineWeights(subject, [broken])).lines[1]![1]).toMatch(/^512x512: [\d.]+ GB; /);
  });

  it("has the sizes of a klein folder, and of a file in the place of its text encoder", async () => {
    const folder = kleinFolder("plain");
    const own = await examineCheckpoint(await readSubject({ checkpoint: folder }));
    const sizeOf = async (name: string): Promise<number> => (await stat(path.join(folder, name))).size;
    expect(own.facts).toMatchObject({
      components: {
        text_encoder: { fileBytes: await sizeOf("text_encoder/model.safetensors") },
        vae: { fileBytes: await sizeOf("vae/diffusion_pytorch_model.safetensors") },
        transformer: { fileBytes: await sizeOf("transformer/diffusion_pytorch_model.safetensors") },
      },
    });
    const textEncoder = path.join(await temporaryFolder(), "qwen3.safetensors");
    await copyFile(path.join(folder, "text_encoder", "model.safetensors"), textEncoder);
    const other = path.join(await temporaryFolder(), "folder");
    await cp(folder, other, { recursive: true });
    await rm(path.join(other, "text_encoder", "model.safetensors"));
    expect(
      (await examineCheckpoint(await readSubject({ checkpoint: other, textEncoder }))).facts,
    ).toMatchObject({
      components: { text_encoder: { fileBytes: (await stat(textEncoder)).size } },
    });
  });

  it("recommends the checkpoint that ships as it is, at the size that it draws", async () => {
    const { lines, facts } = await examineWeights(await readSubject({ memoryLimit: 4e9 }), [CPU]);
    expect(facts).toMatchObject({ recommended: "fp32" });
    const labels = lines.flatMap((line) => (typeof line === "string" ? [] : [line[0]]));
    expect(labels).toEqual(["fp32", "fp16", "bf16", "int8", "int4"]);
    expect(lines[1]![1]).toMatch(/^128x128: \d+ MB, about [\d.]+ (s|min); everything stays loaded$/);
  });

  it("says that a GGUF file is not rounded again", async () => {
    const checkpoint = path.join(fixtures, "checkpoints", "sharded");
    const textEncoder = path.join(fixtures, "gguf", "t5.gguf");
    const said = /^Weights of a GGUF file \(t5\) were rounded before: .* 16 bits at least\.$/;
    const examine = async (memoryLimit: number, files: object) =>
      examineWeights(await readSubject({ checkpoint, memoryLimit, ...files }), [CPU]);
    const own = await examine(250e6, {});
    expect(own.facts).toMatchObject({ recommended: "int8" });
    expect(own.lines.at(-1)).not.toMatch(said);
    const { lines, facts } = await examine(250e6, { textEncoder });
    expect(facts).toMatchObject({ recommended: "transformer int8, t5 fp16" });
    expect(lines.at(-2)).toMatch(/^Without --weights, transformer int8, t5 fp16 is taken: /);
    expect(lines.at(-1)).toMatch(said);
    expect((await examine(4e9, { textEncoder })).facts).toMatchObject({ recommended: "fp32" });
  });

  it("tells times in the unit that people use for them", () => {
    expect([4.25, 45, 100, 3600, 7200].map(timeText)).toEqual(["4.3 s", "45 s", "2 min", "60 min", "2.0 h"]);
  });
});
