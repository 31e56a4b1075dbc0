/** The fastest product that the machine does with a matrix in few bits: what a step is measured against. */
import path from "node:path";
import { buildModel, input } from "../../src/onnx/graph.ts";
import { linear } from "../../src/models/layers.ts";
import * as ops from "../../src/onnx/ops.ts";
import { Session } from "../../src/runtime/session.ts";
import { readConverted } from "../../src/weights/converted.ts";
import type { SourceWeight, WeightSource } from "../../src/weights/weight-source.ts";
import { rounded } from "../../tools/statistics.ts";
import type { Kind } from "./options.ts";
import { writeConverted } from "./weight-file.ts";

export interface PeakOrder {
  kind: Kind;
  width: number;
  rows: number;
  threads: number;
  folder: string;
}

const REPETITIONS = 3;
/** Products in one run, so that copying inputs and outputs does not count: the square ones of the first block. */
const BLOCK = "transformer_blocks.0.attn";
const CHAIN = ["to_q", "to_k", "to_v", "to_out.0"];

/** Billions of operations per second for `rows` rows times a square matrix, the best of all repetitions. */
export async function measureQuantizedPeak(
  source: WeightSource,
  { kind, width, rows, threads, folder }: PeakOrder,
): Promise<number> {
  const file = path.join(folder, "peak.safetensors");
  const isUsed = ({ key }: SourceWeight): boolean =>
    CHAIN.some((name) => key.startsWith(`${BLOCK}.${name}.`));
  const weights = (): SourceWeight[] => [...source.weights()].filter(isUsed);
  await writeConverted(file, { ...source, weights }, kind);
  const { weights: chain } = await readConverted("peak", file);
  let product = input("x", "float32", [rows, width]);
  for (const name of CHAIN) product = linear(chain.scope(BLOCK), name, product, width);
  const model = buildModel("peak", { y: ops.rows(product, 0, 1, 1) });
  const session = await Session.load(model, { name: "peak", weightsFolder: chain.baseFolder, threads });
  const data = Float32Array.from({ length: rows * width }, () => 2 * Math.random() - 1);
  let best = Infinity;
  for (let repetition = 0; repetition <= REPETITIONS; repetition += 1) {
    const started = performance.now();
    await session.run({ x: { data, shape: [rows, width] } });
    best = Math.min(best, (performance.now() - started) / 1000);
  }
  await session.dispose();
  return rounded((CHAIN.length * 2 * rows * width * width) / best / 1e9);
}
