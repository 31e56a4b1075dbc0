import { describe, expect, it } from "vitest";
import { latentIds, textIds } from "../../../src/pipelines/flux1-kontext/latents.ts";
import { packLatents, unpackLatents } from "../../../src/pipelines/shared/packing.ts";
import { wave } from "../../support/onnx.ts";

describe("packing latents", () => {
  it("makes a token of each 2x2 patch: channel, then row, then column", () => {
    // prettier-ignore
    const grid = Float32Array.of(
      0, 1, 2, 3,
      4, 5, 6, 7,
      10, 11, 12, 13,
      14, 15, 16, 17,
    );
    expect([...packLatents(grid, 2, { width: 4, height: 2 })]).toEqual(
      [
        [0, 1, 4, 5, 10, 11, 14, 15],
        [2, 3, 6, 7, 12, 13, 16, 17],
      ].flat(),
    );
  });

  it("goes through the patches row by row", () => {
    const grid = Float32Array.from({ length: 16 }, (_, index) => index);
    const tokens = packLatents(grid, 1, { width: 4, height: 4 });
    expect([tokens[0], tokens[4], tokens[8], tokens[12]]).toEqual([0, 2, 8, 10]);
  });

  it.each([1, 4, 5, 16])("is undone by unpacking, with %i channels and grids of any shape", (numChannels) => {
    for (const [width, height] of [
      [2, 2],
      [2, 10],
      [10, 2],
      [6, 4],
      [4, 6],
      [16, 16],
    ] as const) {
      const grid = Float32Array.from(wave(numChannels * width * height));
      const tokens = packLatents(grid, numChannels, { width, height });
      expect(unpackLatents(tokens, numChannels, { width, height })).toEqual(grid);
      expect(tokens.toSorted()).toEqual(grid.toSorted());
    }
  });
});

describe("positions", () => {
  it("of a grid's tokens are stream, row and column", () => {
    expect([...latentIds({ width: 6, height: 4 }, 1)]).toEqual(
      [
        [1, 0, 0],
        [1, 0, 1],
        [1, 0, 2],
        [1, 1, 0],
        [1, 1, 1],
        [1, 1, 2],
      ].flat(),
    );
    expect([...latentIds({ width: 2, height: 4 }, 0)]).toEqual([0, 0, 0, 0, 1, 0]);
  });

  it("of a text are all the origin", () => {
    expect([...textIds(2)]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
