/**
 * Compares our networks with what the reference computed of drawn LoRAs (`drawn_loras.py`): prints a line for each edit
 * that differs or that only one of the two refuses, the worst figure of each dialect, and sums.
 *
 * Usage: node scripts/run-ts.mjs test/lora/compare-drawn.ts FOLDER
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { findBaseIn } from "../../src/engine/base-layers.ts";
import { RetouchError } from "../../src/errors.ts";
import { LoraRegistry } from "../../src/lora/registry.ts";
import { createFindTarget } from "../../src/pipelines/flux1-kontext/lora-targets.ts";
import { loadNetworks, openKontext } from "../../src/pipelines/flux1-kontext/model.ts";
import { readKontext } from "../../src/pipelines/flux1-kontext/checkpoint.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { difference } from "../support/compare.ts";
import { fixtures, readTensors } from "../support/fixtures.ts";
import { firstVelocity } from "../support/velocity.ts";

interface DrawnFile {
  dialect: string;
  folder: string;
  file: string;
  scale: number;
}

const GUIDANCE = 2.5;
/** Decibels that count as equal: float32 in another order of sums. */
const LEAST = 75;

const folder = path.resolve(process.argv[2]!);
const cases = JSON.parse(await readFile(path.join(folder, "cases.json"), "utf8")) as {
  files: DrawnFile[];
  refused?: string;
}[];
const expected = await readTensors(path.relative(fixtures, path.join(folder, "expected.safetensors")));
const tensors = await readTensors("cases/plain-square.safetensors");
const plain = async (): Promise<Checkpoint> => Checkpoint.open(path.join(fixtures, "checkpoints", "plain"));
const networks = await loadNetworks(await plain(), { threads: 1 }, { isAdaptable: true });
const { configs } = await readKontext(await plain());
const findTarget = createFindTarget(configs.flux, configs.clip);
const findBase = findBaseIn(await openKontext(await plain()));
const { prompt } = (
  JSON.parse(await readFile(path.join(fixtures, "cases.json"), "utf8")) as { name: string; prompt: string }[]
).find(({ name }) => name === "plain-square")!;

const decibels = (actual: Float32Array, wanted: Float32Array): number =>
  -20 * Math.log10(difference(actual, wanted).relative);
const worst = new Map<string, { least: number; number: number }>();
const count = { equal: 0, different: 0, bothRefuse: 0, onlyWeRefuse: 0, onlyTheyRefuse: 0 };
for (const [index, { files, refused }] of cases.entries()) {
  const name = files.map(({ dialect }) => dialect).join("+");
  const paths = files.map((file) => [file.folder, path.join(folder, file.folder, file.file)] as const);
  const registry = new LoraRegistry(Object.fromEntries(paths), findTarget, findBase);
  try {
    const chosen = await registry.choose(files.map((file) => ({ name: file.folder, scale: file.scale })));
    const { adapters } = await chosen.read();
    const velocity = await firstVelocity(networks, tensors, GUIDANCE, adapters);
    const { pooledPromptEmbeds } = await networks.encodePrompt({ prompt }, { adapters });
    if (refused !== undefined) {
      count.onlyTheyRefuse += 1;
      console.log(`${index} ${name}: only the reference refuses: ${refused}`);
      continue;
    }
    const figures = [
      decibels(velocity, expected.get(`${index}.velocity`)!.data as Float32Array),
      decibels(
        pooledPromptEmbeds.data as Float32Array,
        expected.get(`${index}.pooled`)!.data as Float32Array,
      ),
    ];
    const least = Math.min(...figures);
    count[least >= LEAST ? "equal" : "different"] += 1;
    if (!(least >= LEAST)) {
      console.log(
        `${index} ${name}: velocity ${figures[0]!.toFixed(1)} dB, pooled ${figures[1]!.toFixed(1)} dB`,
      );
    }
    const kind = files.length > 1 ? "several" : name;
    const known = worst.get(kind);
    worst.set(kind, { least: Math.min(known?.least ?? Infinity, least), number: (known?.number ?? 0) + 1 });
  } catch (error) {
    if (!(error instanceof RetouchError)) throw error;
    count[refused === undefined ? "onlyWeRefuse" : "bothRefuse"] += 1;
    if (refused === undefined) console.log(`${index} ${name}: only we refuse: ${error.message}`);
  }
}
await networks.dispose();
for (const [name, { least, number }] of worst)
  console.log(`${name}: ${number}, worst ${least.toFixed(1)} dB`);
console.log(JSON.stringify(count));
process.exitCode = count.different + count.onlyWeRefuse > 0 ? 1 : 0;
