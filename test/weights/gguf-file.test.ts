/** Numbers and blocks of GGUF files against what PyPI `gguf` reads from them: the same bits. */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { wantedOf } from "../../src/models/layouts/file-networks.ts";
import { llamaT5Layout } from "../../src/models/layouts/t5-layouts.ts";
import { originalFluxLayout } from "../../src/models/layouts/original-flux.ts";
import { originalFluxSizes } from "../../src/models/layouts/transformer-sizes.ts";
import {
  IQ1_S_GRID,
  IQ2_S_GRID,
  IQ2_XS_GRID,
  IQ2_XXS_GRID,
  IQ3_S_GRID,
  IQ3_XXS_GRID,
} from "../../src/weights/ggml/grids.ts";
import { unpackGrid } from "../../src/weights/ggml/iq.ts";
import { readT5Config } from "../../src/models/text-encoders/t5-config.ts";
import { GgufFile } from "../../src/weights/gguf-file.ts";
import { blocksPerRow, bytesPerBlock } from "../../src/weights/quantized.ts";
import type { LayoutEntry } from "../../src/weights/tensor-file.ts";
import type { SourceBlocks, SourceWeight } from "../../src/weights/weight-source.ts";
import { fixtures, readTensors } from "../support/fixtures.ts";
import { ggufOf } from "../support/gguf.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { readComponent } from "../support/weights.ts";

const [ROWS, COLUMNS] = [3, 512];
const TYPES = "F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K".split(" ");
const MORE_COLUMNS = 256;
const MORE_TYPES =
  "TQ1_0 TQ2_0 IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S IQ4_NL IQ4_XS MXFP4 NVFP4".split(" ");
const openFixture = (name: string): Promise<GgufFile> =>
  GgufFile.open(path.join(fixtures, "gguf", `${name}.gguf`), wantedOf("transformer", "FLUX.1"));
const entryOf = (key: string, shape: number[]): LayoutEntry => ({ key, shape, parts: [{ key, shape }] });
const weightsOf = (file: GgufFile, layout: LayoutEntry[]): SourceWeight[] => [
  ...file.arrange(layout).weights(),
];
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

/** The numbers of rows [rows, columns] in the runtime's blocks, as `quantized.ts` defines them. */
async function fromBlocks(
  blocks: SourceBlocks,
  from: number,
  to: number,
  columns: number,
): Promise<Float32Array> {
  const read = await blocks.read(from, to);
  const numBlocks = (to - from) * blocksPerRow(columns, blocks);
  expect(read.scales).toHaveLength(numBlocks);
  expect(read.blocks).toHaveLength(numBlocks * bytesPerBlock(blocks));
  return Float32Array.from({ length: (to - from) * columns }, (_, index) => {
    const byte = read.blocks[(index * blocks.bits) / 8]!;
    const q = blocks.bits === 8 ? byte : (read.blocks[index >> 1]! >> ((index & 1) * 4)) & 15;
    return (q - 2 ** (blocks.bits - 1)) * read.scales[Math.floor(index / blocks.blockSize)]!;
  });
}

describe.each(TYPES)("numbers stored as %s", (type) => {
  it("are those of the reference, whole or some rows", async () => {
    const layout = TYPES.map((name) => entryOf(name, [ROWS, COLUMNS]));
    const weight = weightsOf(await openFixture("types"), layout).find(({ key }) => key === type)!;
    const expected = (await readTensors("gguf/types.safetensors")).get(type)!.data as Float32Array;
    expect(expected.filter((number) => number !== 0 && Number.isFinite(number)).length).toBeGreaterThan(1000);
    expect(bytesOf(await weight.rows(0, ROWS)).equals(bytesOf(expected))).toBe(true);
    const last = expected.subarray(COLUMNS);
    expect(bytesOf(await weight.rows(1, ROWS)).equals(bytesOf(last))).toBe(true);
  });

  it("are in the runtime's blocks without rounding, or not at all", async () => {
    const layout = TYPES.map((name) => entryOf(name, [ROWS, COLUMNS]));
    const { blocks } = weightsOf(await openFixture("types"), layout).find(({ key }) => key === type)!;
    const bits = { Q8_0: 8, Q4_0: 4 }[type];
    expect(blocks?.bits).toBe(bits);
    if (!blocks) return;
    const expected = (await readTensors("gguf/types.safetensors")).get(type)!.data as Float32Array;
    expect(await fromBlocks(blocks, 0, ROWS, COLUMNS)).toEqual(expected);
  });
});

describe.each(MORE_TYPES)("numbers stored as %s", (type) => {
  it("are those of the reference, whole or some rows", async () => {
    const layout = MORE_TYPES.map((name) => entryOf(name, [ROWS, MORE_COLUMNS]));
    const weight = weightsOf(await openFixture("more-types"), layout).find(({ key }) => key === type)!;
    const expected = (await readTensors("gguf/more-types.safetensors")).get(type)!.data as Float32Array;
    expect(new Set(expected).size).toBeGreaterThan(type.startsWith("TQ") ? 6 : 24);
    expect(bytesOf(await weight.rows(0, ROWS)).equals(bytesOf(expected))).toBe(true);
    const last = expected.subarray(MORE_COLUMNS);
    expect(bytesOf(await weight.rows(1, ROWS)).equals(bytesOf(last))).toBe(true);
    expect(weight.blocks).toBeUndefined();
  });
});

describe("the tables of the IQ types", () => {
  it.each(Object.entries({ IQ1_S_GRID, IQ2_XXS_GRID, IQ2_XS_GRID, IQ2_S_GRID, IQ3_XXS_GRID, IQ3_S_GRID }))(
    "are the reference's: %s",
    async (name, grid) => {
      const hashes = JSON.parse(await readFile(path.join(fixtures, "gguf", "grids.json"), "utf8")) as Record<
        string,
        string
      >;
      const found = createHash("sha256").update(unpackGrid(grid)).digest("hex");
      expect(found).toBe(hashes[name.replace("_GRID", "")]);
    },
  );
});

async function expectSame(weights: SourceWeight[], name: string): Promise<void> {
  const expected = await readTensors(`gguf/${name}.safetensors`);
  expect(weights.map(({ key }) => key).toSorted()).toEqual([...expected.keys()].toSorted());
  for (const { key, shape, rows, blocks } of weights) {
    const { data, shape: wanted } = expected.get(key)!;
    expect(shape, key).toEqual(wanted);
    const [numRows] = shape as [number];
    const rowSize = data.length / numRows;
    for (const from of [0, 1, Math.floor(numRows / 2)]) {
      const part = (data as Float32Array).subarray(from * rowSize);
      expect(bytesOf(await rows(from, numRows)).equals(bytesOf(part)), `${key} from ${from}`).toBe(true);
      if (blocks) expect(await fromBlocks(blocks, from, numRows, rowSize), key).toEqual(part);
    }
  }
}

describe("a GGUF file", () => {
  it("gives a transformer's weights as the reference converts them: fused, swapped, mixed types", async () => {
    const { config } = await readComponent("shifted", "transformer");
    const file = await openFixture("flux");
    const weights = weightsOf(file, originalFluxLayout(originalFluxSizes(file, config)));
    await expectSame(weights, "flux");
    const bitsOf = (key: string) => weights.find((weight) => weight.key === key)?.blocks?.bits;
    expect(bitsOf("transformer_blocks.0.attn.to_k.weight")).toBe(8);
    expect(bitsOf("single_transformer_blocks.0.proj_mlp.weight")).toBe(4);
    expect(bitsOf("norm_out.linear.weight")).toBe(8);
    expect(bitsOf("norm_out.linear.bias")).toBeUndefined();
  });

  it("gives a T5 encoder's weights under the names of transformers", async () => {
    const { config } = await readComponent("sharded", "text_encoder_2");
    await expectSame(weightsOf(await openFixture("t5"), llamaT5Layout(readT5Config(config))), "t5");
  });

  it("counts the bytes of its weights, and is called by its name", async () => {
    const file = await openFixture("types");
    const layout = TYPES.map((name) => entryOf(name, [ROWS, COLUMNS]));
    const bytesOf512 = [2048, 1024, 1024, 288, 320, 352, 384, 544, 168, 220, 288, 352, 420];
    expect(file.arrange(layout)).toMatchObject({
      name: file.file,
      byteLength: ROWS * bytesOf512.reduce((sum, bytes) => sum + bytes, 0),
    });
  });

  it("has no blocks of a vector, whose parts need not be whole blocks", async () => {
    const scale = [0x00, 0x3c]; // 1 in fp16
    const data = Uint8Array.from([...scale, ...Array.from({ length: 32 }, (_, index) => index)]);
    const file = path.join(await temporaryFolder(), "vector.gguf");
    await writeFile(file, ggufOf([{ name: "ab", dims: [32], code: 8, offset: 0 }], { data }));
    const parts = [
      { key: "a", shape: [10] },
      { key: "b", shape: [22] },
    ];
    const [a, b] = weightsOf(await GgufFile.open(file, wantedOf("transformer", "FLUX.1")), [
      { key: "ab", shape: [32], parts },
    ]);
    expect(a!.blocks).toBeUndefined();
    expect([...(await a!.rows(8, 10))]).toEqual([8, 9]);
    expect([...(await b!.rows(0, 3))]).toEqual([10, 11, 12]);
  });
});

describe("a GGUF file is refused by its name and the key", () => {
  it("that is stored in a type that cannot be read", async () => {
    const name = path.join(await temporaryFolder(), "flux.gguf");
    await writeFile(name, ggufOf([{ name: "a.weight", dims: [256], code: 41, offset: 0 }]));
    const file = await GgufFile.open(name, wantedOf("transformer", "FLUX.1"));
    expect(() => file.arrange([entryOf("a.weight", [256])])).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `The weights file ${name} stores a.weight as type 41; F32, F16, BF16, Q4_0 to Q8_0, Q2_K to Q6_K, IQ1_S to IQ4_XS, TQ1_0, TQ2_0, MXFP4 and NVFP4 can be read.`,
      ),
    );
  });

  it("that has another shape, is missing or unknown", async () => {
    const file = await openFixture("types");
    const sentence = (rest: string) =>
      refusal("CHECKPOINT_INVALID", `The weights file ${file.file} ${rest}.`);
    expect(() => file.arrange([entryOf("F32", [COLUMNS, ROWS])])).toThrow(
      sentence("has F32 in the shape [3, 512] where [512, 3] is wanted"),
    );
    expect(() => file.arrange([entryOf("F64", [1])])).toThrow(sentence("lacks the weight F64 [1]"));
    const most = TYPES.slice(1).map((name) => entryOf(name, [ROWS, COLUMNS]));
    expect(() => file.arrange(most)).toThrow(sentence("holds F32, for which the network has no place"));
  });
});
