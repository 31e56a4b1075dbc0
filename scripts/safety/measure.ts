/**
 * Measures how the checker rates what the shipped checkpoint draws from 200 ordinary scenes with an instruction each, and
 * from the examples with the README's instruction and eight seeds; at the checkpoint's own size, and enlarged as the
 * service does by default. `node scripts/run-ts.mjs scripts/safety/measure.ts [FOLDER]` prints JSON. FOLDER has scenes
 * by draw_scenes.py; without it they are drawn first, which sets up Python.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { decodePicture } from "../../src/images/decode.ts";
import { createEngine } from "../../src/engine/engine.ts";
import { createSafetyChecker, DEFAULT_SAFETY_THRESHOLD } from "../../src/safety/checker.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SCENES = 200;
const SEEDS = 8;
/** The side that the checkpoint draws at, and the service's default. */
const SIDES = [128, 1024];

interface Order {
  /** The image's path. */
  file: string;
  prompt: string;
  seed: number;
}

interface Rating extends Order {
  score: number;
  isFlagged: boolean;
}

const folder = await mkdtemp(path.join(tmpdir(), "retouch-scenes-"));
// Off, because refused images have to be rated too.
const engine = await createEngine({ safety: { isOn: false } });
const checker = createSafetyChecker();
try {
  const sets = {
    scenes: await sceneOrders(process.argv[2] ?? (await drawScenes(folder))),
    examples: await exampleOrders(path.join(ROOT, "examples")),
  };
  const results: object[] = [];
  for (const [set, orders] of Object.entries(sets)) {
    for (const side of SIDES) results.push({ set, side, ...summaryOf(await rateEdits(orders, side)) });
  }
  const report = { checkpoint: engine.checkpoint.name, threshold: DEFAULT_SAFETY_THRESHOLD, results };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
} finally {
  await Promise.all([engine.close(), checker.close(), rm(folder, { recursive: true, force: true })]);
}

async function drawScenes(target: string): Promise<string> {
  const [python, drawer] = ["python.mjs", "safety/draw_scenes.py"].map((name) =>
    path.join(ROOT, "scripts", name),
  );
  await promisify(execFile)(process.execPath, [python!, drawer!, target, String(SCENES)]);
  return target;
}

async function sceneOrders(from: string): Promise<Order[]> {
  const prompts = JSON.parse(await readFile(path.join(from, "instructions.json"), "utf8")) as string[];
  if (prompts.length !== SCENES) throw new Error(`${from} holds ${prompts.length} scenes, not ${SCENES}.`);
  return prompts.map((prompt, seed) => ({ file: path.join(from, `${seed}.png`), prompt, seed }));
}

async function exampleOrders(from: string): Promise<Order[]> {
  const names = (await readdir(from)).map((file) => path.parse(file).name).toSorted();
  return names.flatMap((name) =>
    Array.from({ length: SEEDS }, (_, seed) => ({
      file: path.join(from, `${name}.png`),
      prompt: `Exact same ${name}, same angle and posture, now perched on a cloud in outer space`,
      seed,
    })),
  );
}

/** Edits as the command does by default, and rates the results, file format included. */
async function rateEdits(orders: readonly Order[], side: number): Promise<Rating[]> {
  const ratings: Rating[] = [];
  for (const order of orders) {
    const { prompt, seed } = order;
    const request = { image: await readFile(order.file), prompt, seed, size: { width: side, height: side } };
    const { score, isFlagged } = await checker.check(await decodePicture((await engine.edit(request)).image));
    ratings.push({ ...order, file: path.basename(order.file), score, isFlagged });
  }
  return ratings;
}

function summaryOf(ratings: readonly Rating[]): object {
  const sorted = ratings.toSorted((a, b) => b.score - a.score);
  const flagged = sorted.filter(({ isFlagged }) => isFlagged).length;
  return {
    edits: sorted.length,
    flagged,
    share: flagged / sorted.length,
    maxScore: sorted[0]!.score,
    medianScore: sorted[sorted.length >> 1]!.score,
    highest: sorted.slice(0, 3),
  };
}
