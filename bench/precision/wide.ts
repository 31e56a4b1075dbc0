/** A checkpoint like the shipped one, but with a wide transformer of random numbers: broad layers, nothing learnt. */
import { cp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { randomNormal } from "../../src/sampling/random.ts";
import { readFluxConfig } from "../../src/models/transformers/flux-config.ts";
import { originalFluxLayout } from "../../src/models/layouts/original-flux.ts";
import { Config } from "../../src/weights/config.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import type { SourceWeight, WeightSource } from "../../src/weights/weight-source.ts";
import { inRepository } from "../../tools/paths.ts";

const SHIPPED = inRepository("checkpoints", "tiny");
/** Norms scale by about 1; modulation is small, as in a trained network, or the blocks would drown each other. */
const NORM = /(?:^|\.)norm_(?:added_)?[qk]\.weight$/;
const MODULATION = /(?:^|\.)norm\w*\.linear\.weight$/;
const MODULATION_GAIN = 0.5;
const BIAS_DEVIATION = 0.02;

/** Writes the checkpoint into `folder`; its transformer is `numHeads` heads of 64 wide. */
export async function writeWideCheckpoint(folder: string, numHeads: number, seed: number): Promise<void> {
  await cp(SHIPPED, folder, { recursive: true, filter: (name) => !/\.(?:png|jpg|md)$/.test(name) });
  const place = path.join(folder, "transformer");
  const config = await Config.read(path.join(place, "config.json"));
  const fields = { ...config.fields, num_attention_heads: numHeads, num_layers: 2, num_single_layers: 4 };
  await writeFile(path.join(place, "config.json"), JSON.stringify(fields));
  const layout = originalFluxLayout(readFluxConfig(new Config("wide", fields)));
  const parts = layout.flatMap((entry) => entry.parts);
  const source: WeightSource = {
    name: "wide",
    files: [],
    byteLength: 0,
    weights: () => parts.map(({ key, shape }, index) => randomWeight(key, shape, seed * 10_000 + index)),
  };
  const file = path.join(place, "diffusion_pytorch_model.safetensors");
  await rm(file);
  // A 16-bit file is an ordinary one under the network's own keys.
  await quantize(source, "bf16", file, { hash: "0".repeat(64) });
}

function randomWeight(key: string, shape: readonly number[], seed: number): SourceWeight {
  const [, columns = 1] = shape;
  const count = shape.reduce((product, dim) => product * dim, 1);
  let numbers: Float32Array | undefined;
  const draw = (): Float32Array => {
    const normal = randomNormal(count, seed);
    if (NORM.test(key)) return normal.map((value) => 1 + 0.1 * value);
    if (shape.length === 1) return normal.map((value) => BIAS_DEVIATION * value);
    const gain = MODULATION.test(key) ? MODULATION_GAIN : 1;
    return normal.map((value) => (gain * value) / Math.sqrt(columns));
  };
  const rowSize = shape.length === 1 ? 1 : columns;
  return {
    key,
    shape,
    rows: async (from, to) => (numbers ??= draw()).slice(from * rowSize, to * rowSize),
  };
}
