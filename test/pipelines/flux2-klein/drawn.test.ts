import { expect, it } from "vitest";
import { LATENTS_DB, PICTURE_DB } from "../../../scripts/reference/drawn/outcome.ts";
import { DrawnCases } from "../../support/drawn-cases.ts";

const drawn = new DrawnCases("klein/drawn");

it("has ten cases, with none to four pictures and both pipelines", () => {
  expect(drawn.cases).toHaveLength(10);
  expect(new Set(drawn.cases.map(({ edit }) => edit.references.length))).toEqual(new Set([0, 1, 2, 3, 4]));
});

it.each(drawn.cases)("the edit of drawn case $index is the reference's", async (one) => {
  const { latents, picture } = await drawn.compare(one);
  expect(latents).toBeGreaterThanOrEqual(LATENTS_DB);
  expect(picture).toBeGreaterThanOrEqual(PICTURE_DB);
});
