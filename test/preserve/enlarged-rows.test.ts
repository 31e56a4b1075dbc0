import { expect, it } from "vitest";
import { enlargedRows } from "../../src/preserve/enlarged-rows.ts";
import { resampled, tapsOf } from "../../src/preserve/resample.ts";
import { scene } from "./scene.ts";

it("parts of enlarged rows are those of the whole picture, wherever it was moved", () => {
  const raw = scene(40, 30);
  const size = { width: 173, height: 121 };
  for (const placement of [
    { scaleX: 1, scaleY: 1, shiftX: 0, shiftY: 0 },
    { scaleX: 1.03, scaleY: 0.98, shiftX: -1.2, shiftY: 0.7 },
  ]) {
    const whole = resampled(
      raw,
      tapsOf(40, size.width, (40 / size.width) * placement.scaleX, placement.shiftX),
      tapsOf(30, size.height, (30 / size.height) * placement.scaleY, placement.shiftY),
    );
    const rectangle = { left: 2, top: 1, width: 36, height: 28 };
    const rows = enlargedRows(
      raw.data,
      { ...raw, placement, rectangle, maps: new Float32Array(0), models: undefined },
      size,
    );
    const pixel = new Float64Array(3);
    for (const [start, end] of [
      [0, 36],
      [0, 3],
      [10, 12],
      [34, 36],
    ] as const) {
      for (let y = 0; y < size.height; y += 7) {
        rows.startRow(y, start, end);
        for (let x = 0; x < size.width; x++) {
          const place = ((x + 0.5) * 40) / size.width - 0.5 - rectangle.left;
          const isIn = (start === 0 || place >= start) && (end === 36 || place <= end - 1);
          if (!isIn) continue;
          rows.readPixel(x, pixel);
          for (let c = 0; c < 3; c++) expect(pixel[c]).toBeCloseTo(whole[(y * size.width + x) * 3 + c]!, 2);
        }
      }
    }
  }
});
