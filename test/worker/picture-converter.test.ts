/** Images turned into PNG files in another process. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { afterEach, describe, expect, it } from "vitest";
import { createPictureConverter, type PictureConverter } from "../../src/worker/picture-converter.ts";
import { root } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const entry = pathToFileURL(path.join(root, "dist", "worker", "picture-process.js"));
const tiff = (width: number): Promise<Buffer> =>
  sharp({ create: { width, height: 2, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0.5 } } })
    .tiff({ compression: "deflate" })
    .toBuffer();

let converter: PictureConverter | undefined;
afterEach(() => converter?.close());

describe("the converter of images", () => {
  it("makes a PNG of a TIFF, with its transparency, and refuses what no edit would take", async () => {
    converter = createPictureConverter({ maxPixels: 100, entry });
    const made = await converter.convert(await tiff(3));
    const { data, info } = await sharp(made).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ format: "raw", width: 3, height: 2, channels: 4 });
    expect([...data.subarray(0, 4)]).toEqual([255, 0, 0, 128]);
    expect((await sharp(made).metadata()).format).toBe("png");

    const refused = async (bytes: Uint8Array): Promise<unknown> =>
      converter!.convert(bytes).catch((error: unknown) => error);
    expect(await refused((await tiff(3)).subarray(0, 60))).toEqual(
      refusal("IMAGE_INVALID", /damaged or cut short/),
    );
    expect(await refused(await tiff(51))).toEqual(
      refusal("IMAGE_TOO_LARGE", /51 x 2 = 102 pixels; at most 100/),
    );
  });

  it("answers with a failure where the process is gone", async () => {
    converter = createPictureConverter({
      maxPixels: 100,
      entry: pathToFileURL(path.join(await temporaryFolder(), "nothing.mjs")),
    });
    expect(await converter.convert(await tiff(3)).catch((error: unknown) => error)).toEqual(
      refusal("RUNTIME_FAILED", "The image could not be converted (unstarted)."),
    );
  });
});
