/**
 * Drawn checkpoints and edits against the reference: some of the cases of `npm run test:reference -- --fuzz`. Their
 * weights follow from a hash, so the fixture holds configurations, keys, and some of the numbers that are to come out.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { beforeAll, expect, it } from "vitest";
import { editDrawn } from "../../../scripts/reference/drawn/edit-drawn.ts";
import { decibelsOf } from "../../../scripts/reference/drawn/decibels.ts";
import { LATENTS_DB, PICTURE_DB } from "../../../scripts/reference/drawn/outcome.ts";
import type { DrawnEdit } from "../../../scripts/reference/drawn/protocol.ts";
import { type DrawnContent, drawnPicture, writeDrawnFile } from "../../support/drawn-files.ts";
import { type FixtureTensor, fixtures, readTensors } from "../../support/fixtures.ts";
import { temporaryFolder } from "../../support/temporary.ts";

interface DrawnCase {
  index: number;
  edit: DrawnEdit;
  /** Path -> place among the contents. */
  files: Record<string, number>;
}

const packed = readFileSync(path.join(fixtures, "drawn", "cases.json.gz"));
const { cases, contents } = JSON.parse(gunzipSync(packed).toString()) as {
  cases: DrawnCase[];
  contents: DrawnContent[];
};
const LARGEST_BYTE = 255;

let expected: Map<string, FixtureTensor>;
beforeAll(async () => {
  expected = await readTensors("drawn/expected.safetensors");
});

it("has thirty cases", () => expect(cases).toHaveLength(30));

it.each(cases)("the edit of drawn case $index is the reference's", async ({ index, edit, files }) => {
  const folder = await temporaryFolder();
  for (const [name, place] of Object.entries(files)) {
    await writeDrawnFile(path.join(folder, name), contents[place]!);
  }
  const sources = edit.references.map(([width, height], at) => ({
    width,
    height,
    data: drawnPicture(width, height, `${edit.seed}/${at}`),
  }));
  const { latents, picture } = await editDrawn(folder, edit, sources);
  const decibels = (name: string, actual: ArrayLike<number>, peak?: number): number => {
    const wanted = expected.get(`${name}.${index}`)!.data as Float32Array | Uint8Array;
    const every = Math.ceil(actual.length / wanted.length);
    const kept = Array.from(actual).filter((_, at) => at % every === 0);
    const result = decibelsOf(kept, wanted, peak);
    return result === "equal" ? Infinity : Number(result);
  };
  expect(decibels("latents", latents)).toBeGreaterThanOrEqual(LATENTS_DB);
  expect(decibels("picture", picture.data, LARGEST_BYTE)).toBeGreaterThanOrEqual(PICTURE_DB);
});
