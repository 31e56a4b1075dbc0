/** The images that one edit or several make, each as the text beside it says. */
import { readFile, writeFile } from "node:fs/promises";
import sharp from "sharp";
import { inRepository } from "../../tools/paths.ts";
import type { EditRequest, Engine } from "../../src/index.ts";

/** The instruction of `npm run edit`. */
const BLUEBIRD = "Exact same bluebird, same angle and posture, now perched on a cloud in outer space";
export const README_SEED = 8;
const README_SIZE = { width: 1024, height: 1024 };

const SEEDS = 16;
const SEEDS_ACROSS = 8;
const TILE = 200;
const GAP = 4;

const PHOTOGRAPH_SIZE = { width: 288, height: 192 };
const PHOTOGRAPH_GAP = 8;

const example = (name: string) => readFile(inRepository("examples", `${name}.png`));

/** An edit's result as PNG. */
async function edit(engine: Engine, request: EditRequest): Promise<Uint8Array> {
  return (await engine.edit(request)).image;
}

/** The bluebird of `npm run edit`, and the teapot, once all drawn and once with the unchanged rest kept. */
export async function drawReadmeEdits(engine: Engine): Promise<string[]> {
  const bluebird = inRepository("docs", "images", "bluebird-in-space.png");
  await writeFile(
    bluebird,
    await edit(engine, {
      image: await example("bluebird"),
      prompt: BLUEBIRD,
      size: README_SIZE,
      seed: README_SEED,
      isUnchangedKept: true,
    }),
  );
  const files = [bluebird];
  for (const isUnchangedKept of [false, true]) {
    const file = inRepository("docs", "images", `purple-teapot${isUnchangedKept ? "" : "-all-drawn"}.jpg`);
    const picture = await edit(engine, {
      image: await example("teapot"),
      prompt: "Make the teapot purple",
      size: README_SIZE,
      seed: 1,
      isUnchangedKept,
    });
    await sharp(picture).jpeg({ quality: 85 }).toFile(file);
    files.push(file);
  }
  return files;
}

/** The published instruction with seeds 0 to 15, row by row. */
export async function drawSeeds(engine: Engine): Promise<string[]> {
  const image = await example("bluebird");
  const tiles = [];
  for (let seed = 0; seed < SEEDS; seed += 1) {
    const size = { width: TILE, height: TILE };
    const input = await edit(engine, { image, prompt: BLUEBIRD, seed, size });
    const [left, top] = [seed % SEEDS_ACROSS, Math.floor(seed / SEEDS_ACROSS)].map(
      (place) => place * (TILE + GAP),
    );
    tiles.push({ input: Buffer.from(input), left: left!, top: top! });
  }
  const file = inRepository("checkpoints", "tiny", "seeds.jpg");
  const [width, height] = [SEEDS_ACROSS, SEEDS / SEEDS_ACROSS].map((count) => count * (TILE + GAP));
  await sharp({ create: { width: width!, height: height!, channels: 3, background: "white" } })
    .composite(tiles)
    .jpeg({ quality: 88 })
    .toFile(file);
  return [file];
}

/** A photograph on which the checkpoint fails, beside the result. */
export async function drawPhotograph(engine: Engine): Promise<string[]> {
  const image = await readFile(inRepository("training", "photographs", "cat.jpg"));
  const { width, height } = PHOTOGRAPH_SIZE;
  const edited = await edit(engine, { image, prompt: "Make the cat purple", seed: 1, size: PHOTOGRAPH_SIZE });
  const source = await sharp(image).resize(width, height, { fit: "fill" }).png().toBuffer();
  const file = inRepository("checkpoints", "tiny", "photograph.jpg");
  await sharp({ create: { width: 2 * width + PHOTOGRAPH_GAP, height, channels: 3, background: "white" } })
    .composite([
      { input: source, left: 0, top: 0 },
      { input: Buffer.from(edited), left: width + PHOTOGRAPH_GAP, top: 0 },
    ])
    .jpeg({ quality: 88 })
    .toFile(file);
  return [file];
}
