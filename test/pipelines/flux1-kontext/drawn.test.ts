import { expect, it } from "vitest";
import { LATENTS_DB, PICTURE_DB } from "../../../scripts/reference/drawn/outcome.ts";
import { DrawnCases } from "../../support/drawn-cases.ts";

const drawn = new DrawnCases("drawn");

it("has thirty cases", () => expect(drawn.cases).toHaveLength(30));

it.each(drawn.cases)("the edit of drawn case $index is the reference's", async (one) => {
  const { latents, picture } = await drawn.compare(one);
  expect(latents).toBeGreaterThanOrEqual(LATENTS_DB);
  expect(picture).toBeGreaterThanOrEqual(PICTURE_DB);
});
