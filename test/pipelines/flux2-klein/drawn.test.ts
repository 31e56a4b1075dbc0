import path from "node:path";
import { expect, it } from "vitest";
import { LATENTS_DB, PICTURE_DB } from "../../../scripts/reference/drawn/outcome.ts";
import { DrawnCases } from "../../support/drawn-cases.ts";

const drawn = new DrawnCases("klein/drawn");

it("has eleven cases, with none to four pictures, every kind of file, and noise of the caller's", () => {
  expect(drawn.cases).toHaveLength(11);
  expect(new Set(drawn.cases.map(({ edit }) => edit.references.length))).toEqual(new Set([0, 1, 2, 3, 4]));
  const files = drawn.cases.flatMap(({ edit }) => Object.entries(edit.files));
  const kinds = new Set(files.map(([name, file]) => `${name} ${path.extname(file)}`));
  expect([...kinds].toSorted()).toEqual([
    "textEncoder .gguf",
    "textEncoder .safetensors",
    "transformer .gguf",
    "transformer .safetensors",
    "vae .safetensors",
  ]);
  expect(drawn.cases.some(({ edit }) => edit.latents != null)).toBe(true);
});

it.each(drawn.cases)("the edit of drawn case $index is the reference's", async (one) => {
  const { latents, picture } = await drawn.compare(one);
  expect(latents).toBeGreaterThanOrEqual(LATENTS_DB);
  expect(picture).toBeGreaterThanOrEqual(PICTURE_DB);
});
