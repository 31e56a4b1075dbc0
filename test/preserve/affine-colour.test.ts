import { describe, expect, it } from "vitest";
import { fitColours, MODEL, modelled, writeModels } from "../../src/preserve/affine-colour.ts";
import { coloursOf } from "../../src/preserve/colours.ts";
import { changed, scene } from "./scene.ts";

const whole = ({ width, height }: { width: number; height: number }) => ({ left: 0, top: 0, width, height });

describe("the local models of a change of colour", () => {
  it.each([
    ["every pixel", 301, 200, 1],
    ["every second pixel of a large picture, of odd sides too", 801, 601, 2],
  ])("are fitted at %s", (_, width, height, step) => {
    const source = scene(width, height);
    const night = changed(source, ([red, green, blue]) => [
      red * 0.4 + 5,
      green * 0.5,
      0.6 * blue + 0.1 * red,
    ]);
    const [before, after] = [coloursOf(source, whole(source)), coloursOf(night, whole(night))];
    const models = fitColours(before, after, 3, 3);
    expect(models.step).toBe(step);
    expect([models.width, models.height]).toEqual([Math.ceil(width / step), Math.ceil(height / step)]);
    modelled(before, models).forEach(({ data }, c) => {
      let sum = 0;
      for (let i = 0; i < data.length; i++) sum += (data[i]! - after[c]!.data[i]!) ** 2;
      expect(Math.sqrt(sum / data.length)).toBeLessThan(1);
    });
  });

  it("lie between those of the grid, and go on beyond the last", () => {
    const data = new Float32Array(2 * 2 * MODEL);
    [0, 4, 8, 12].forEach((value, i) => data.fill(value, i * MODEL, (i + 1) * MODEL));
    const line = new Float32Array(4 * MODEL);
    const columns = (): number[] => [0, 1, 2, 3].map((x) => line[x * MODEL + 5]!);
    writeModels({ width: 2, height: 2, step: 2, data }, 0, line);
    expect(columns()).toEqual([0, 1, 3, 4]);
    writeModels({ width: 2, height: 2, step: 2, data }, 2, line);
    expect(columns()).toEqual([6, 7, 9, 10]);
  });
});
