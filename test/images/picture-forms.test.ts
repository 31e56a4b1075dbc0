import { readFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { decodePicture } from "../../src/images/decode.ts";
import type { Picture } from "../../src/images/picture.ts";
import { readJson, readTensors, root, type FixtureTensor } from "../support/fixtures.ts";
import { largestDifference } from "./samples.ts";

/** A form of a file: one that is drawn right, or one that is refused. */
interface Form {
  name: string;
  /** The row of docs/pictures.md. */
  group: string | null;
  /** The tensor of its pixels. */
  pixels?: string;
  tolerance?: number;
  /** Words of the sentence that refuses it. */
  refusal?: string;
}

const forms = readJson<Form[]>("picture-forms.json");
let tensors: Map<string, FixtureTensor>;
beforeAll(async () => (tensors = await readTensors("picture-forms.safetensors")));

const fileOf = ({ name }: Form): Uint8Array => tensors.get(`${name}: file`)!.data as Uint8Array;

function pixelsOf({ pixels }: Form): Picture {
  const { shape, data } = tensors.get(pixels!)!;
  return { width: shape[1]!, height: shape[0]!, data: data as Uint8Array };
}

describe("decodePicture, every form", () => {
  it.each(forms.filter(({ group }) => group !== null))("draws $name", async (form) => {
    const [wanted, decoded] = [pixelsOf(form), await decodePicture(fileOf(form))];
    expect([decoded.width, decoded.height]).toEqual([wanted.width, wanted.height]);
    expect(largestDifference(decoded, wanted)).toBeLessThanOrEqual(form.tolerance!);
    // No other form has light beyond white.
    expect(decoded.isToneMapped ?? false).toBe(/\b(PQ|HLG)\b/.test(form.name));
  });

  it.each(forms.filter(({ group }) => group === null))("refuses $name by name", async (form) => {
    const error = await decodePicture(fileOf(form), { name: "a.file" }).then(
      () => expect.fail("it was accepted"),
      (reason) => reason,
    );
    expect(error.code).toBe("IMAGE_UNSUPPORTED");
    expect(error.message).toMatch(/^a\.file (is|has) .*, which is not accepted; .*\.$/);
    expect(error.message).toContain(form.refusal);
  });

  it("rounds 16 bits at every value, and 10 and 12 bits at white", async () => {
    const values = Uint16Array.from({ length: 65_536 * 3 }, (_, i) => i / 3);
    const raw = { width: 256, height: 256, channels: 3 } as const;
    const deep = sharp(values, { raw }).toColourspace("rgb16");
    const { data } = await decodePicture(await deep.tiff({ compression: "none" }).toBuffer());
    expect(data).toEqual(Uint8Array.from(values, (value) => Math.round(value / 257)));
    const white = sharp(new Uint16Array(192).fill(65_535), { raw: { width: 8, height: 8, channels: 3 } });
    for (const bitdepth of [10, 12] as const) {
      const avif = await white.clone().toColourspace("rgb16").avif({ bitdepth, lossless: true }).toBuffer();
      expect(new Set((await decodePicture(avif)).data)).toEqual(new Set([255]));
    }
  });
});

describe("docs/pictures.md", () => {
  it("lists the forms that are tested here, and no others", () => {
    const page = readFileSync(path.join(root, "docs", "pictures.md"), "utf8");
    // Another table there has the formats of results.
    const [table] = /^\| form .*?\n\n/ms.exec(page)!;
    const rows = [...table.matchAll(/^\| ([A-Z][^|]*?) +\|/gm)].map(([, name]) => name);
    const groups = new Set(forms.map(({ group }) => group).filter((group) => group !== null));
    expect(rows.toSorted()).toEqual([...groups].toSorted());
  });
});
