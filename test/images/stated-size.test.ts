import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { statedSize } from "../../src/images/stated-size.ts";

const drawn = sharp({ create: { width: 300, height: 7, channels: 3, background: "#123456" } });

describe("the size that a header states", () => {
  it.each([
    ["JPEG", () => drawn.clone().jpeg()],
    ["progressive JPEG", () => drawn.clone().jpeg({ progressive: true })],
    ["PNG", () => drawn.clone().png()],
    ["GIF", () => drawn.clone().gif()],
    ["lossy WebP", () => drawn.clone().webp()],
    ["lossless WebP", () => drawn.clone().webp({ lossless: true })],
    [
      "extended WebP",
      () =>
        drawn
          .clone()
          .withExif({ IFD0: { Artist: "A" } })
          .webp(),
    ],
  ])("is that of a %s", async (_, encoded) => {
    expect(statedSize(await encoded().toBuffer())).toEqual({ width: 300, height: 7 });
  });

  it("is not read of other formats, of what is no image, or where it is cut off", async () => {
    expect(statedSize(await drawn.clone().tiff().toBuffer())).toBeUndefined();
    expect(statedSize(Buffer.from("no image"))).toBeUndefined();
    expect(statedSize(new Uint8Array())).toBeUndefined();
    for (const format of ["jpeg", "png", "gif", "webp"] as const) {
      const file = await drawn.clone().toFormat(format).toBuffer();
      for (let length = 0; length < 24; length += 1) {
        const size = statedSize(file.subarray(0, length));
        // A GIF's stands in its first ten bytes.
        if (size !== undefined) expect([format, size]).toEqual(["gif", { width: 300, height: 7 }]);
      }
    }
  });

  it("is none where a side is zero", async () => {
    const file = await drawn.clone().png().toBuffer();
    file.writeUInt32BE(0, 16);
    expect(statedSize(file)).toBeUndefined();
  });
});
