/** A converted file's matrices, multiplied by the runtime, against the numbers that their blocks stand for. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import { linear } from "../../src/models/layers.ts";
import { input } from "../../src/onnx/graph.ts";
import { type Converted, readConverted } from "../../src/weights/converted.ts";
import type { BlockFormat } from "../../src/weights/quantized.ts";
import { difference } from "../support/compare.ts";
import { evaluate, tensor, wave } from "../support/onnx.ts";
import { refusal } from "../support/refusal.ts";
import { float32, type TensorFields, uint8, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";

const ROWS = 3;
const FORMATS: BlockFormat[] = [
  { bits: 4, blockSize: 32 },
  { bits: 4, blockSize: 128 },
  { bits: 8, blockSize: 32 },
  { bits: 8, blockSize: 128 },
];

/** A matrix of blocks with every value of a byte in it, and the numbers that it stands for. */
function matrixOf({ bits, blockSize }: BlockFormat, columns: number) {
  const count = Math.ceil(columns / blockSize);
  const bytes = Uint8Array.from(
    { length: (ROWS * count * blockSize * bits) / 8 },
    (_, index) => (index * 37) % 256,
  );
  const scales = wave(ROWS * count, 2);
  const numberAt = (row: number, column: number): number => {
    const block = row * count + Math.floor(column / blockSize);
    const index = block * blockSize + (column % blockSize);
    const byte = bytes[Math.floor((index * bits) / 8)]!;
    const q = bits === 8 ? byte : index % 2 === 0 ? byte & 15 : byte >> 4;
    return (q - 2 ** (bits - 1)) * scales[block]!;
  };
  return {
    tensors: {
      "up.weight": uint8(bytes, [ROWS, count, (blockSize * bits) / 8]),
      "up.weight.scales": float32(scales, [ROWS, count]),
    },
    numberAt,
  };
}

interface FileFields {
  tensors?: Record<string, TensorFields>;
  metadata?: Record<string, string>;
  format?: BlockFormat;
  columns?: number;
}

async function writtenFile({ tensors, metadata, format = FORMATS[3]!, columns = 128 }: FileFields) {
  const file = path.join(await temporaryFolder(), "converted.safetensors");
  await writeSafetensors(file, tensors ?? matrixOf(format, columns).tensors, {
    retouch_weights: "1",
    kind: "int8",
    source: "abc",
    matrices: JSON.stringify({ "up.weight": { ...format, columns } }),
    errors: '{"up.weight":0.004321}',
    ...metadata,
  });
  return file;
}

const read = async (fields: FileFields, accuracyLevel?: 1 | 4): Promise<Converted> =>
  readConverted("network", await writtenFile(fields), { accuracyLevel });

describe.each(FORMATS)("a matrix of $bits bits in blocks of $blockSize", (format) => {
  it.each([256, 261, 20])("is multiplied as what it stands for, with %i columns", async (columns) => {
    const { tensors, numberAt } = matrixOf(format, columns);
    const biases = [0.5, -1, 2];
    const all = { ...tensors, "up.bias": float32(biases) };
    const values = wave(2 * columns);
    const expected = [0, 1].flatMap((token) =>
      biases.map((bias, row) =>
        values
          .slice(token * columns, (token + 1) * columns)
          .reduce((sum, value, column) => sum + value * numberAt(row, column), bias),
      ),
    );
    for (const [level, tolerance] of [
      [1, 1e-6],
      // Rounds the input to 8 bits too.
      [4, 3e-2],
    ] as const) {
      const { weights } = await read({ format, columns, tensors: all }, level);
      const y = linear(weights.scope(), "up", input("x", "float32", ["tokens", columns]), ROWS);
      expect(weights.unusedKeys()).toEqual([]);
      const { data } = await evaluate(y, { x: tensor(values, [2, columns]) }, weights.baseFolder);
      expect(difference(data, expected).relative).toBeLessThan(tolerance);
    }
  });
});

describe("a converted file", () => {
  it("says its kind, its source and its errors, and gives the other tensors as they are", async () => {
    const { kind, source, errors, weights } = await read({
      tensors: { ...matrixOf(FORMATS[3]!, 128).tensors, norm: float32([1, 2]) },
    });
    expect({ kind, source, errors }).toEqual({
      kind: "int8",
      source: "abc",
      errors: [{ key: "up.weight", relativeError: 0.004321 }],
    });
    expect(weights.take("norm", [2]).dtype).toBe("float32");
    expect(() => weights.take("up.weight", [3, 128])).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        "network: the weight up.weight is stored in 8 bits; only matrices of linear layers can be.",
      ),
    );
    expect(() => weights.takeMatrix("up.weight", [3, 129])).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        "network: the weight up.weight has the shape [3, 128] where the configuration asks for [3, 129].",
      ),
    );
    expect(() => weights.takeMatrix("down.weight", [3, 128])).toThrow("down.weight [3, 128] is missing.");
  });

  it.each<[string, FileFields, string]>([
    [
      "another version",
      { metadata: { retouch_weights: "2" } },
      "is of the version 2; version 1 can be read.",
    ],
    ["an unknown kind", { metadata: { kind: "int3" } }, "is damaged: its metadata has no kind or no source."],
    ["no list", { metadata: { matrices: "" } }, "is damaged: its list of matrices is not JSON."],
    ["no object", { metadata: { matrices: "1" } }, "is damaged: its list of matrices is no object."],
    [
      "an unknown format",
      { metadata: { matrices: '{"up.weight":{"bits":3,"blockSize":32,"columns":128}}' } },
      "is damaged: the format of up.weight is malformed.",
    ],
    [
      "other columns than its blocks",
      { metadata: { matrices: '{"up.weight":{"bits":8,"blockSize":128,"columns":129}}' } },
      "is damaged: blocks and scales of up.weight do not fit 8 bits of 129 columns.",
    ],
    [
      "a matrix that is not there",
      { metadata: { matrices: '{"down.weight":{"bits":8,"blockSize":128,"columns":128}}' } },
      "is damaged: blocks and scales of down.weight do not fit 8 bits of 128 columns.",
    ],
    ["no errors", { metadata: { errors: "" } }, "is damaged: its list of errors is not JSON."],
    [
      "an error that is no number",
      { metadata: { errors: '{"up.weight":null}' } },
      "is damaged: the error of up.weight is malformed.",
    ],
    [
      "an error below zero",
      { metadata: { errors: '{"up.weight":-1}' } },
      "is damaged: the error of up.weight is malformed.",
    ],
  ])("with %s is refused", async (_, fields, sentence) => {
    await expect(read(fields)).rejects.toThrow(sentence);
  });

  it("is told from any other safetensors", async () => {
    const file = path.join(await temporaryFolder(), "model.safetensors");
    await writeSafetensors(file, { norm: float32([1]) });
    await expect(readConverted("network", file)).rejects.toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `The weights file ${file} was not written by retouch quantize; version 1 can be read.`,
      ),
    );
  });
});
