/** A little set of the evaluation's format: a square on a plain ground that changes its colour, comes, goes or stays. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { CANDIDATES, type Chain, type Scene } from "../../evaluation/set.ts";

type Colour = readonly [number, number, number];

const GROUND: Colour = [120, 170, 220];
const COLOURS: Readonly<Record<string, Colour>> = {
  red: [210, 40, 50],
  green: [40, 150, 70],
  yellow: [240, 210, 60],
  purple: [130, 60, 160],
  black: [20, 20, 20],
  white: [250, 250, 250],
};
const NAMES = Object.keys(COLOURS);
const SHAPES = [
  { width: 64, height: 64 },
  { width: 74, height: 55 },
  { width: 48, height: 85 },
];
const KINDS = ["recolour", "remove", "nothing"];
const SMALL = 32;

/** Writes `count` scenes, of which every other is a probe, and one chain; returns the list. */
export async function writeEvaluationSet(
  folder: string,
  count = 3,
): Promise<{ side: number; scenes: Scene[]; chains: Chain[] }> {
  const scenes = Array.from({ length: count }, (_, id) => sceneOf(id));
  const chain: Chain = {
    id: 0,
    ...SHAPES[0]!,
    steps: NAMES.slice(1, 6).map((name) => ({ kind: "recolour", instruction: `Make the square ${name}` })),
  };
  await mkdir(path.join(folder, "scenes"), { recursive: true });
  await mkdir(path.join(folder, "chains"), { recursive: true });
  for (const scene of scenes) {
    const truth = scene.kind === "recolour" ? "green" : scene.kind === "remove" ? null : "red";
    const pictures = [drawn(scene, "red"), drawn(scene, truth)];
    const file = path.join(folder, "scenes", `${String(scene.id).padStart(3, "0")}.webp`);
    await writeWebp(file, scene.width, 2 * scene.height, Buffer.concat(pictures));
  }
  const inChain = NAMES.map((name) => drawn(chain, name));
  await writeWebp(
    path.join(folder, "chains", "0.webp"),
    chain.width,
    6 * chain.height,
    Buffer.concat(inChain),
  );
  const rows = scenes.map(candidatesOf);
  await writeWebp(
    path.join(folder, "candidates.webp"),
    CANDIDATES * SMALL,
    count * SMALL,
    Buffer.concat(rows),
  );
  const list = { side: 64, scenes, chains: [chain] };
  await writeFile(path.join(folder, "scenes.json"), JSON.stringify(list));
  return list;
}

function sceneOf(id: number): Scene {
  const kind = KINDS[id % KINDS.length]!;
  const instruction =
    kind === "recolour"
      ? "Make the square green"
      : kind === "remove"
        ? "Remove the square"
        : "Leave it as it is";
  return { id, kind, ...SHAPES[id % SHAPES.length]!, instruction, seed: id, probe: id % 2 === 0 };
}

/** A square of this name's colour in the middle, or none. */
function drawn({ width, height }: { width: number; height: number }, name: string | null): Buffer {
  const data = Buffer.alloc(3 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isInside = Math.max(Math.abs(x - width / 2), Math.abs(y - height / 2)) < 14;
      data.set(isInside && name !== null ? COLOURS[name]! : GROUND, 3 * (y * width + x));
    }
  }
  return data;
}

/** Nine squares in a row; wrong for every scene. */
function candidatesOf(): Buffer {
  const row = Buffer.alloc(3 * SMALL * SMALL * CANDIDATES);
  for (let tile = 0; tile < CANDIDATES; tile++) {
    const picture = drawn({ width: SMALL, height: SMALL }, NAMES[2 + (tile % 4)]!);
    for (let y = 0; y < SMALL; y++) {
      picture.copy(row, 3 * SMALL * (y * CANDIDATES + tile), 3 * SMALL * y, 3 * SMALL * (y + 1));
    }
  }
  return row;
}

async function writeWebp(file: string, width: number, height: number, data: Buffer): Promise<void> {
  await sharp(data, { raw: { width, height, channels: 3 } })
    .webp({ lossless: true })
    .toFile(file);
}
