/** Images on which the checker is compared with nsfwjs: files of the repository and computed ones, of many shapes. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { decodePicture } from "../src/images/decode.ts";
import type { Picture } from "../src/images/picture.ts";

const FILES = [
  "examples/bluebird.png",
  "examples/car.png",
  "examples/fox.png",
  "examples/teapot.png",
  "test/fixtures/pictures/scene-48x80.png",
  "test/fixtures/pictures/scene-96x64.png",
];

type Colour = readonly [red: number, green: number, blue: number];
type Painter = (x: number, y: number) => Colour;

/** An image whose colours follow from the place, 0 to 1 in both directions. */
function paint(width: number, height: number, colourAt: Painter): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) data.set(colourAt(x / width, y / height), (y * width + x) * 3);
  }
  return { width, height, data };
}

/** The same numbers, 0 to 255, on every machine. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  };
}

const SKIN: Colour = [224, 172, 140];
const DARK: Colour = [60, 30, 30];

/** Soft shapes in the colours of skin, which the network has an opinion about. */
const blob: Painter = (x, y) => {
  const distance = Math.hypot((x - 0.5) * 1.6, y - 0.5) * 2;
  const light = Math.max(0, 1 - distance ** 2) * 0.6 + 0.4 + 0.1 * Math.sin(9 * x + 5 * y);
  return distance < 0.9 ? (SKIN.map((value) => Math.round(value * light)) as unknown as Colour) : DARK;
};

const random = noise(7);
const PAINTED: Readonly<Record<string, Picture>> = {
  "noise 224x224": paint(224, 224, () => [random(), random(), random()]),
  "noise 501x37": paint(501, 37, () => [random(), random(), random()]),
  "gradient 300x200": paint(300, 200, (x, y) => [Math.round(x * 255), Math.round(y * 255), 128]),
  "stripes 640x480": paint(640, 480, (x, y) =>
    Math.floor(x * 40 + y * 9) % 2 ? [250, 20, 90] : [5, 80, 200],
  ),
  "blob 224x224": paint(224, 224, blob),
  "blob 1024x768": paint(1024, 768, blob),
  "skin 96x96": paint(96, 96, () => SKIN),
  "grey 1x1": paint(1, 1, () => [128, 128, 128]),
  "white 2x300": paint(2, 300, () => [255, 255, 255]),
};

/** Every image by its name. @param root the repository's folder */
export async function comparedPictures(root: string): Promise<Map<string, Picture>> {
  const pictures = new Map(Object.entries(PAINTED));
  for (const file of FILES) pictures.set(file, await decodePicture(await readFile(path.join(root, file))));
  return pictures;
}
