import { stat } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { sectionsJson, sectionsText } from "../../src/cli/doctor/doctor.ts";
import { examineCheckpoint, readSubject } from "../../src/cli/doctor/checkpoint.ts";
import { examineMachine } from "../../src/cli/doctor/machine.ts";
import { examineWeights, timeText } from "../../src/cli/doctor/weights.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";

const PUBLISHED = "black-forest-labs/FLUX.1-Kontext-dev";

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

  it("knows the published model without having it, and no other", async () => {
    const { lines } = await examineCheckpoint(await readSubject({ model: PUBLISHED }));
    expect(lines).toContainEqual(["transformer", "11.90 billion weights"]);
    await expect(readSubject({ model: "org/other" })).rejects.toEqual(
      refusal("INVALID_PARAMETER", new RegExp(`^--model must be ${PUBLISHED}, `)),
    );
  });

  it.each([
    [128, "fp32"],
    [64, "int8"],
    [24, "int8"],
    [10, "int4"],
    [4, undefined],
  ])("recommends for the published model in %d GB: %s", async (gigabytes, kind) => {
    const subject = await readSubject({ model: PUBLISHED, memoryLimit: gigabytes * 1e9 });
    const { facts } = await examineWeights(subject);
    expect(facts).toMatchObject({ recommended: kind });
  });

  it("recommends the checkpoint that ships as it is, at the size that it draws", async () => {
    const { lines, facts } = await examineWeights(await readSubject({ memoryLimit: 4e9 }));
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
      examineWeights(await readSubject({ checkpoint, memoryLimit, ...files }));
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
