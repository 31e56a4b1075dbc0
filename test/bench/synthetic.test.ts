import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { writeGguf } from "../../bench/full-size/gguf.ts";
import { FORMATS, PUBLISHED } from "../../bench/full-size/options.ts";
import { syntheticT5, syntheticTransformer } from "../../bench/full-size/synthetic.ts";
import { writeConverted } from "../../bench/full-size/weight-file.ts";
import { requestedWeights } from "../../src/models/count.ts";
import { t5Encoder } from "../../src/models/text-encoders/t5.ts";
import { PUBLISHED_CONFIGS } from "../../src/pipelines/flux1-kontext/published.ts";
import { originalFluxLayout } from "../../src/models/layouts/original-flux.ts";
import { float16FromBits } from "../../src/weights/float-bits.ts";
import { readConverted } from "../../src/weights/converted.ts";
import type { SourceWeight } from "../../src/weights/weight-source.ts";
import { readJson } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";

const NARROW = { ...PUBLISHED, numDoubleBlocks: 1, numSingleBlocks: 1, numHeads: 1, promptSize: 64 };
const PROJECTION = "transformer_blocks.0.attn.to_k.weight";

function weightsOf(kind: "int8" | "int4", seed = 1): Map<string, SourceWeight> {
  const source = syntheticTransformer(NARROW, { format: FORMATS[kind], seed });
  return new Map([...source.weights()].map((weight) => [weight.key, weight]));
}

it("has the published keys and shapes", () => {
  const published = readJson<{ transformer: Record<string, number[]> }>("single-files/published.json");
  const source = syntheticTransformer(PUBLISHED, { format: FORMATS.int8, seed: 1 });
  const shapes = Object.fromEntries(Array.from(source.weights(), ({ key, shape }) => [key, shape]));
  expect(shapes).toEqual(published.transformer);
});

it("has T5's as our encoder takes them", () => {
  const { t5 } = PUBLISHED_CONFIGS;
  const source = syntheticT5(t5, { format: FORMATS.int8, seed: 1 });
  const shapes = Array.from(source.weights(), ({ key, shape }) => [key, shape] as const);
  const requested = requestedWeights((weights) => t5Encoder(t5, weights, { length: 8 }));
  expect(Object.fromEntries(shapes)).toEqual(
    Object.fromEntries(Array.from(requested, ([key, { shape }]) => [key, shape])),
  );
});

it.each(["int8", "int4"] as const)(
  "gives the same numbers for any rows, whole and in blocks, %s",
  async (kind) => {
    const weight = weightsOf(kind).get(PROJECTION)!;
    const [all, some] = [await weight.rows(0, 128), await weight.rows(5, 9)];
    expect(some).toEqual(all.slice(5 * 128, 9 * 128));
    const { scales } = await weight.blocks!.read(5, 9);
    expect(scales).toHaveLength(4);
    const center = 2 ** (FORMATS[kind].bits - 1);
    for (const [index, value] of some.entries()) {
      const integer = value / scales[Math.floor(index / 128)]!;
      expect(Number.isInteger(integer) && Math.abs(integer) < center).toBe(true);
    }
  },
);

it.each(["int8", "int4"] as const)(
  "draws other numbers for other seeds and keys, spread as said, %s",
  async (kind) => {
    const numbers = await weightsOf(kind).get(PROJECTION)!.rows(0, 128);
    expect(numbers).not.toEqual(await weightsOf(kind, 2).get(PROJECTION)!.rows(0, 128));
    const query = PROJECTION.replace("to_k", "to_q");
    expect(numbers).not.toEqual(await weightsOf(kind).get(query)!.rows(0, 128));
    const deviation = Math.sqrt(numbers.reduce((sum, value) => sum + value ** 2, 0) / numbers.length);
    expect(deviation / (0.02 * Math.sqrt(3072 / 128))).toBeCloseTo(1, 1);
    expect(Math.abs(numbers.reduce((sum, value) => sum + value, 0) / numbers.length)).toBeLessThan(0.002);
  },
);

it("writes what the reader of converted files reads", async () => {
  const file = path.join(await temporaryFolder(), "weights.safetensors");
  const source = syntheticTransformer(NARROW, { format: FORMATS.int4, seed: 1 });
  const weights = weightsOf("int4");
  await writeConverted(file, source, "int4");
  const { kind, weights: read } = await readConverted("transformer", file);
  expect(kind).toBe("int4");
  const stored = new Map(read.entries());
  expect([...stored.keys()].toSorted()).toEqual([...weights.keys()].toSorted());
  expect(stored.get(PROJECTION)).toMatchObject({ bits: 4, blockSize: 128, shape: [128, 128] });
  expect(stored.get("norm_out.linear.weight")).toMatchObject({ bits: 8, shape: [256, 128] });
  expect(stored.get("x_embedder.weight")).toMatchObject({ dtype: "float32", shape: [128, 64] });
});

it.each([
  { kind: "int8", type: 8, blockBytes: 34 },
  { kind: "int4", type: 2, blockBytes: 18 },
] as const)("writes GGUF of the same numbers, $kind", async ({ kind, type, blockBytes }) => {
  const file = path.join(await temporaryFolder(), "weights.gguf");
  const weights = weightsOf(kind);
  await writeGguf(file, originalFluxLayout(NARROW), weights);
  const bytes = await readFile(file);
  const tensors = readTensors(bytes);
  expect(tensors.size).toBe(originalFluxLayout(NARROW).length);
  // Query, key and value are one tensor; the key's rows are the second 128.
  const fused = tensors.get("double_blocks.0.img_attn.qkv.weight")!;
  expect(fused).toMatchObject({ dims: [128, 384], type });
  const keyStart = fused.start + 128 * 4 * blockBytes;
  const numbers = Array.from({ length: 128 * 4 }, (_, block) =>
    dequantized(bytes.subarray(keyStart + block * blockBytes, keyStart + (block + 1) * blockBytes), kind),
  ).flat();
  expect(Float32Array.from(numbers)).toEqual(await weights.get(PROJECTION)!.rows(0, 128));
  // Shift before scale.
  const last = tensors.get("final_layer.adaLN_modulation.1.bias")!;
  const bias = new Float32Array(bytes.buffer.slice(last.start, last.start + 256 * 4));
  const ours = await weights.get("norm_out.linear.bias")!.rows(0, 256);
  expect([...bias]).toEqual([...ours.subarray(128), ...ours.subarray(0, 128)]);
});

it("rounds blocks of 8 bits to Q4_0, each to within a step", async () => {
  const file = path.join(await temporaryFolder(), "weights.gguf");
  const weights = weightsOf("int8");
  await writeGguf(file, originalFluxLayout(NARROW), weights, { bits: 4 });
  const bytes = await readFile(file);
  const { start, type } = readTensors(bytes).get("double_blocks.0.img_attn.proj.weight")!;
  expect(type).toBe(2);
  const exact = await weights.get("transformer_blocks.0.attn.to_out.0.weight")!.rows(0, 1);
  for (let block = 0; block < 4; block += 1) {
    const numbers = dequantized(bytes.subarray(start + block * 18, start + (block + 1) * 18), "int4");
    const wanted = exact.subarray(block * 32, (block + 1) * 32);
    // The number farthest from 0 is 8 steps from it; of the other sign, there are only 7.
    const step = Math.max(...wanted.map(Math.abs)) / 8;
    for (const [index, number] of numbers.entries()) {
      expect(Math.abs(number - wanted[index]!)).toBeLessThan(1.01 * step);
    }
  }
});

interface GgufTensor {
  dims: number[];
  type: number;
  /** From the start of the file. */
  start: number;
}

function readTensors(bytes: Buffer): Map<string, GgufTensor> {
  let at = 0;
  const uint32 = (): number => bytes.readUInt32LE((at += 4) - 4);
  const uint64 = (): number => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const text = (): string => {
    const length = uint64();
    return bytes.toString("utf8", at, (at += length));
  };
  expect([bytes.toString("latin1", 0, (at += 4)), uint32()]).toEqual(["GGUF", 3]);
  const [numTensors, numFields] = [uint64(), uint64()];
  expect([numFields, text(), uint32(), text()]).toEqual([1, "general.architecture", 8, "flux"]);
  const tensors = Array.from({ length: numTensors }, () => {
    const name = text();
    const dims = Array.from({ length: uint32() }, uint64);
    return [name, { dims, type: uint32(), start: uint64() }] as const;
  });
  const dataStart = Math.ceil(at / 32) * 32;
  return new Map(tensors.map(([name, tensor]) => [name, { ...tensor, start: tensor.start + dataStart }]));
}

/** A block of ggml's Q8_0 or Q4_0. */
function dequantized(block: Buffer, kind: "int8" | "int4"): number[] {
  const scale = float16FromBits(block.readUInt16LE(0));
  const data = block.subarray(2);
  const integers =
    kind === "int8"
      ? Array.from(new Int8Array(data))
      : [...Array.from(data, (byte) => (byte & 0xf) - 8), ...Array.from(data, (byte) => (byte >> 4) - 8)];
  return integers.map((integer) => integer * scale);
}
