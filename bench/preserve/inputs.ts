/** A source with detail of every size, what a network would make of two edits of it, and its files. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { simulate } from "../../tools/simulate.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { encodePicture } from "../../src/images/encode.ts";
import type { Picture } from "../../src/images/picture.ts";
import { resizePicture } from "../../src/images/resize.ts";
import type { Size } from "../../src/index.ts";
import { inRepository } from "../../tools/paths.ts";

/** `light`: all of the picture by night. `local`: a disc of another texture in its middle. */
export const EDITS = ["light", "local"] as const;
export type EditName = (typeof EDITS)[number];

/** Of the working pictures, as of the model's own. */
const WORKING_PIXELS = 1024 ** 2;

/** Writes the source and the results as raw pixels, and the source as files. @returns the source's size */
export async function writeInputs(folder: string, megapixels: number): Promise<Size> {
  const width = Math.round(Math.sqrt(megapixels * 1e6 * 1.5));
  const height = Math.round((megapixels * 1e6) / width);
  const source = await textured({ width, height });
  await writePicture(folder, "source", source);
  for (const format of ["jpeg", "png"] as const) {
    await writeFile(path.join(folder, `source.${format}`), await encodePicture(source, format));
  }
  const factor = Math.max(Math.sqrt((width * height) / WORKING_PIXELS), 1);
  for (const edit of EDITS) {
    const { raw } = simulate(edited(source, edit), edit, factor);
    await writePicture(folder, edit, raw);
  }
  return { width, height };
}

async function textured({ width, height }: Size): Promise<Picture> {
  const example = await decodePicture(await readFile(inRepository("examples", "bluebird.png")));
  const picture = await resizePicture(example, width, height);
  const data = picture.data.slice();
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      // Waves from two pixels to some hundred long, over one another, stronger here and there.
      const fine = 8 * Math.sin(x * 1.3 + y * 0.4) * Math.sin(y * 1.1);
      const coarse = 14 * Math.sin(x * 0.11 + Math.sin(y * 0.013) * 4) * Math.sin(y * 0.07);
      const detail = fine + coarse * (1 + Math.sin(x * 0.004) * Math.sin(y * 0.005));
      for (let c = i; c < i + 3; c++) data[c] = Math.min(Math.max(data[c]! + detail, 0), 255);
    }
  }
  return { width, height, data };
}

function edited({ width, height, data }: Picture, edit: EditName): Picture {
  const result = data.slice();
  const light = [0.3, 0.38, 0.6];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      if (edit === "light") for (let c = 0; c < 3; c++) result[i + c] = data[i + c]! * light[c]!;
      else if ((x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2) {
        result[i] = 200 + 40 * Math.sin(x / 40);
        result[i + 1] = 60 + 40 * Math.sin(y / 33);
        result[i + 2] = 90;
      }
    }
  }
  return { width, height, data: result };
}

async function writePicture(folder: string, name: string, { width, height, data }: Picture): Promise<void> {
  await writeFile(path.join(folder, `${name}.raw`), data);
  await writeFile(path.join(folder, `${name}.json`), JSON.stringify({ width, height }));
}

export async function readInput(folder: string, name: string): Promise<Picture> {
  const { width, height } = JSON.parse(await readFile(path.join(folder, `${name}.json`), "utf8")) as Size;
  return { width, height, data: new Uint8Array(await readFile(path.join(folder, `${name}.raw`))) };
}
