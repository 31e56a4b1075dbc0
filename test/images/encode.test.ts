import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { decodePicture } from "../../src/images/decode.ts";
import { encodeMask, encodePicture, encodePreview } from "../../src/images/encode.ts";
import { editMetadata } from "../../src/images/metadata.ts";
import { gradient, largestDifference, noise } from "./samples.ts";

const facts = {
  model: "tiny",
  version: "0.1.0",
  seed: 42,
  numSteps: 28,
  guidance: 2.5,
};
const DIGITAL_SOURCE_TYPE =
  "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";

describe("encodePicture", () => {
  it("writes a PNG that holds exactly the picture", async () => {
    const picture = noise(33, 21);
    const bytes = await encodePicture(picture, "png");
    expect(bytes).not.toBeInstanceOf(Buffer);
    expect(await sharp(bytes).metadata()).toMatchObject({ format: "png", depth: "uchar", channels: 3 });
    expect(await decodePicture(bytes)).toEqual(picture);
  });

  it("writes a JPEG close to the picture, its colours at full resolution", async () => {
    const picture = gradient(64, 48);
    const bytes = await encodePicture(picture, "jpeg");
    expect(await sharp(bytes).metadata()).toMatchObject({ format: "jpeg", chromaSubsampling: "4:4:4" });
    expect(largestDifference(await decodePicture(bytes), picture)).toBeLessThanOrEqual(6);
  });

  it.each(["png", "jpeg"] as const)("puts the metadata of an edit into a %s", async (format) => {
    const bytes = await encodePicture(noise(16, 16), format, editMetadata(facts));
    const xmp = (await sharp(bytes).metadata()).xmp?.toString("utf8") ?? "";
    expect(xmp).toContain(`Iptc4xmpExt:DigitalSourceType="${DIGITAL_SOURCE_TYPE}"`);
    expect(xmp).toContain('xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"');
    for (const property of [
      'model="tiny"',
      'version="0.1.0"',
      'seed="42"',
      'numSteps="28"',
      'guidance="2.5"',
    ]) {
      expect(xmp).toContain(`retouch:${property}`);
    }
  });
});

describe("encodeMask", () => {
  it("writes one channel, black and white exactly and greys within a sixteenth", async () => {
    const data = Uint8Array.from({ length: 256 }, (_, value) => value);
    const bytes = await encodeMask({ width: 32, height: 8, data });
    const image = sharp(bytes);
    expect(await image.metadata()).toMatchObject({ format: "png", channels: 1, width: 32, height: 8 });
    const shades = await image.toColourspace("b-w").raw().toBuffer();
    expect([shades[0], shades[255]]).toEqual([0, 255]);
    for (const [value, shade] of shades.entries()) expect(Math.abs(shade - value)).toBeLessThanOrEqual(8);
  });
});

describe("encodePreview", () => {
  it("writes a small JPEG, at most 256 pixels a side, of whatever is drawn", async () => {
    for (const [picture, width, height] of [
      [gradient(64, 48), 64, 48],
      [gradient(1024, 512), 256, 128],
      [noise(256, 256), 256, 256],
      [noise(1, 1), 1, 1],
    ] as const) {
      const bytes = await encodePreview(picture);
      expect(bytes.byteLength).toBeLessThanOrEqual(6000);
      expect(await sharp(bytes).metadata()).toMatchObject({ format: "jpeg", width, height });
    }
  });
});

describe("editMetadata", () => {
  it("says that what was not edited was kept only where it was", () => {
    expect(editMetadata(facts)).not.toContain("keepUnchanged");
    expect(editMetadata({ ...facts, keepUnchanged: true })).toContain('retouch:keepUnchanged="true"');
  });

  it("names the scale of a negative prompt only where one was in effect", () => {
    expect(editMetadata(facts)).not.toContain("trueCfgScale");
    expect(editMetadata({ ...facts, trueCfgScale: 2 })).toContain('retouch:trueCfgScale="2"');
  });

  it("names LoRAs only where there were any", () => {
    expect(editMetadata(facts)).not.toContain("loras");
    expect(editMetadata({ ...facts, loras: "ink:0.5 snow:1" })).toContain('retouch:loras="ink:0.5 snow:1"');
  });

  it("holds the instruction only where it was asked for, on one line", () => {
    expect(editMetadata(facts)).not.toContain("prompt");
    const xmp = editMetadata({ ...facts, prompt: 'Write "night"\nbelow' });
    expect(xmp).toContain('retouch:prompt="Write &quot;night&quot;&#10;below"');
  });

  it("writes seed 0", () => expect(editMetadata({ ...facts, seed: 0 })).toContain('retouch:seed="0"'));

  it("escapes what XML reserves and drops what it cannot hold", async () => {
    const model = `a<b> & "c" 'd' \u{1F426} \u0000\u001B\uD800é`;
    const xmp = editMetadata({ ...facts, model });
    expect(xmp).toContain(`retouch:model="a&lt;b&gt; &amp; &quot;c&quot; 'd' \u{1F426}    é"`);
    const bytes = await encodePicture(noise(4, 4), "png", xmp);
    expect((await sharp(bytes).metadata()).xmp?.toString("utf8")).toContain("&lt;b&gt;");
  });
});
