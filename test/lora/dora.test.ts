/** DoRA in every naming, against its formula on small matrices. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { BaseLayer } from "../../src/lora/base-weights.ts";
import { joinLoras } from "../../src/lora/join.ts";
import { readLora } from "../../src/lora/read-lora.ts";
import type { LinearTarget } from "../../src/lora/targets.ts";
import type { Adapter } from "../../src/models/adapters.ts";
import { refusal } from "../support/refusal.ts";
import { float32, type TensorFields, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";

type Matrix = number[][];

const [ROWS, COLUMNS, RANK] = [4, 3, 2];
const drawn = (rows: number, columns: number, seed: number): Matrix =>
  Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (__, column) => Math.sin(seed + 7 * row + 3 * column)),
  );
const W = drawn(ROWS, COLUMNS, 1);
const BIAS = [0.5, -1, 2, 0.25];
const A = drawn(RANK, COLUMNS, 2);
const B = drawn(ROWS, RANK, 3);
const ALPHA = 3;
const FACTOR = ALPHA / RANK;

const base: BaseLayer = {
  rows: (from, to) => Promise.resolve(Float32Array.from(W.slice(from, to).flat())),
  bias: () => Promise.resolve(Float32Array.from(BIAS)),
  multiply: (x, matrix, size) => {
    const [rows, columns] = [x.length / size, matrix.length / size];
    const product = (at: number): number =>
      Array.from(
        { length: size },
        (_, k) => x[Math.floor(at / columns) * size + k]! * matrix[(at % columns) * size + k]!,
      ).reduce(add, 0);
    return Promise.resolve(Float32Array.from({ length: rows * columns }, (_, at) => product(at)));
  },
};
const target: LinearTarget = { columns: COLUMNS, parts: [{ layer: "layer", rows: ROWS }], isSwapped: false };
const findTarget = (module: string) =>
  /^(?:lora_unet_|transformer\.)layer$/.test(module) ? target : undefined;

const tensor = (matrix: Matrix): TensorFields => float32(matrix.flat(), [matrix.length, matrix[0]!.length]);

async function write(tensors: Record<string, TensorFields>): Promise<string> {
  const file = path.join(await temporaryFolder(), "dora.safetensors");
  await writeSafetensors(file, tensors);
  return file;
}
const kohya = (extra: Record<string, TensorFields>) =>
  write({
    "lora_unet_layer.lora_down.weight": tensor(A),
    "lora_unet_layer.lora_up.weight": tensor(B),
    "lora_unet_layer.alpha": float32([ALPHA], []),
    ...extra,
  });
const peft = (extra: Record<string, TensorFields>) =>
  write({
    "transformer.layer.lora_A.weight": tensor(A),
    "transformer.layer.lora_B.weight": tensor(B),
    ...extra,
  });

const read = async (file: string) => ({ file, lora: await readLora(file, findTarget, () => base) });

/** The matrix and the bias that an adapter makes of the layer. */
function changed({ rank, down, up, constant, rowScale, columnScale }: Adapter): {
  matrix: Matrix;
  bias: number[];
} {
  const product = (row: number, column: number): number =>
    Array.from({ length: rank }, (_, at) => up[row * rank + at]! * down[at * COLUMNS + column]!).reduce(
      add,
      0,
    );
  const shift = (row: number): number =>
    Array.from({ length: rank }, (_, at) => up[row * rank + at]! * (constant?.[at] ?? 0)).reduce(add, 0);
  const m = (row: number): number => rowScale?.[row] ?? 1;
  return {
    matrix: W.map((values, row) =>
      values.map((value, column) => m(row) * value * (columnScale?.[column] ?? 1) + product(row, column)),
    ),
    bias: BIAS.map((value, row) => m(row) * value + shift(row)),
  };
}
const add = (sum: number, value: number): number => sum + value;

function expectChanged(adapter: Adapter, wanted: Matrix, bias = BIAS): void {
  const found = changed(adapter);
  for (const [row, values] of wanted.entries()) {
    for (const [column, value] of values.entries()) expect(found.matrix[row]![column]).toBeCloseTo(value, 5);
    expect(found.bias[row]).toBeCloseTo(bias[row]!, 5);
  }
}

/** W + t B A. */
const sumOf = (t: number): Matrix =>
  W.map((values, row) =>
    values.map((value, column) => value + t * B[row]!.reduce((sum, b, at) => sum + b * A[at]![column]!, 0)),
  );
const lengthOf = (values: readonly number[]): number => Math.hypot(...values);

describe("a DoRA of peft", () => {
  const lengths = [1, 2, 0.5, 3];
  it.each([1, -0.5, 0])("has rows of the trained lengths at the scale %d", async (scale) => {
    const { file, lora } = await read(
      await peft({ "transformer.layer.lora_magnitude_vector": float32(lengths) }),
    );
    const wanted = sumOf(scale).map((values, row) =>
      values.map((value) => (value * lengths[row]!) / lengthOf(values)),
    );
    expectChanged(joinLoras([{ file, lora, scale }]).get("layer")!, wanted);
  });

  it("multiplies what comes before it, and leaves the layer's bias alone", async () => {
    const plain = await read(await peft({ "transformer.layer.lora_B.bias": float32([1, 1, 1, 1]) }));
    const dora = await read(await peft({ "transformer.layer.lora_magnitude_vector": float32(lengths) }));
    const factors = sumOf(1).map((values, row) => lengths[row]! / lengthOf(values));
    const joined = joinLoras([
      { ...plain, scale: 2 },
      { ...dora, scale: 1 },
    ]).get("layer")!;
    // W + 2 B A before it, and B A of its own.
    const wanted = sumOf(3).map((values, row) => values.map((value) => value * factors[row]!));
    expectChanged(
      joined,
      wanted,
      BIAS.map((value, row) => value + 2 * factors[row]!),
    );
  });

  it("is refused with a bias, as by peft, and where the network's weights cannot be read", async () => {
    const file = await peft({
      "transformer.layer.lora_magnitude_vector": float32(lengths),
      "transformer.layer.lora_B.bias": float32([1, 1, 1, 1]),
    });
    await expect(readLora(file, findTarget, () => base)).rejects.toEqual(
      refusal(
        "LORA_UNSUPPORTED",
        / has a bias beside the magnitudes of transformer\.layer, which peft refuses, too\.$/,
      ),
    );
    const other = await peft({ "transformer.layer.lora_magnitude_vector": float32(lengths) });
    await expect(readLora(other, findTarget)).rejects.toEqual(
      refusal(
        "LORA_UNSUPPORTED",
        / is a DoRA, for which the network's own weights of layer cannot be read\.$/,
      ),
    );
  });
});

describe("a DoRA of LyCORIS", () => {
  const whole = sumOf(FACTOR);
  it.each([1, 0.5, 0, -1])("has its difference times the scale, by rows: %d", async (scale) => {
    const lengths = [[1], [2], [0.5], [3]];
    const { file, lora } = await read(await kohya({ "lora_unet_layer.dora_scale": tensor(lengths) }));
    const wanted = W.map((values, row) =>
      values.map((value, column) => {
        const trained = (whole[row]![column]! * lengths[row]![0]!) / lengthOf(whole[row]!);
        return value + scale * (trained - value);
      }),
    );
    expectChanged(joinLoras([{ file, lora, scale }]).get("layer")!, wanted);
  });

  it.each([1, 0.5, 0, -1])("has its difference times the scale, by columns: %d", async (scale) => {
    const lengths = [[1, 2, 0.5]];
    const { file, lora } = await read(await kohya({ "lora_unet_layer.dora_scale": tensor(lengths) }));
    const wanted = W.map((values, row) =>
      values.map((value, column) => {
        const length = lengthOf(whole.map((others) => others[column]!));
        const trained = (whole[row]![column]! * lengths[0]![column]!) / length;
        return value + scale * (trained - value);
      }),
    );
    expectChanged(joinLoras([{ file, lora, scale }]).get("layer")!, wanted);
  });

  it("by columns is refused after one by rows, whose product no scales of both are", async () => {
    const rows = await read(await kohya({ "lora_unet_layer.dora_scale": tensor([[1], [2], [0.5], [3]]) }));
    const columns = await read(await kohya({ "lora_unet_layer.dora_scale": tensor([[1, 2, 0.5]]) }));
    const both = [
      { ...rows, scale: 1 },
      { ...columns, scale: 1 },
    ];
    expect(() => joinLoras(both)).toThrow(
      / scales columns of layers whose rows another DoRA scales; use one of the two\.$/,
    );
  });
});
