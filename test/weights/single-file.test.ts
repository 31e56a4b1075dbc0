import path from "node:path";
import { describe, expect, it } from "vitest";
import { SingleFile } from "../../src/weights/single-file.ts";
import type { LayoutEntry } from "../../src/weights/tensor-file.ts";
import { refusal } from "../support/refusal.ts";
import { float32, type TensorFields, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";

const FUSED: LayoutEntry = {
  key: "qkv.weight",
  shape: [6, 2],
  parts: ["q", "k", "v"].map((name) => ({ key: `${name}.weight`, shape: [2, 2] })),
};
const SWAPPED: LayoutEntry = {
  key: "last.weight",
  shape: [4, 2],
  parts: [{ key: "out.weight", shape: [4, 2] }],
  isSwapped: true,
};
const LAYOUT = [FUSED, SWAPPED];
const count = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);
const tensorOf = (shape: number[]): TensorFields => float32(Array<number>(count(shape)).fill(1), shape);
const TENSORS = { "qkv.weight": tensorOf([6, 2]), "last.weight": tensorOf([4, 2]) };
const fp8 = (shape: number[]): TensorFields => ({
  dtype: "F8_E4M3",
  shape,
  bytes: new Uint8Array(count(shape)),
});

async function fileOf(tensors: Record<string, TensorFields>): Promise<SingleFile> {
  const file = path.join(await temporaryFolder(), "flux.safetensors");
  await writeSafetensors(file, tensors);
  return SingleFile.open(file);
}
const withPrefix = (tensors: Record<string, TensorFields>): Record<string, TensorFields> =>
  Object.fromEntries(
    Object.entries(tensors).map(([key, tensor]) => [`model.diffusion_model.${key}`, tensor]),
  );
const initializer = (name: string, byteOffset: number, byteLength: number): unknown => ({
  origin: {
    kind: "initializer",
    name,
    data: { kind: "external", location: "flux.safetensors", byteOffset, byteLength },
  },
});

describe("a single file", () => {
  it.each([
    ["as it is", TENSORS],
    ["with the prefix of ComfyUI", withPrefix(TENSORS)],
  ])("gives a fused weight as the ranges of its bytes, %s", async (_, tensors) => {
    const weights = (await fileOf(tensors)).arrange("transformer", LAYOUT);
    const data = (key: string, shape: number[]): { byteOffset: number } =>
      (weights.take(key, shape).origin as unknown as { data: { byteOffset: number } }).data;
    const start = data("q.weight", [2, 2]).byteOffset;
    expect(weights.take("k.weight", [2, 2])).toMatchObject(initializer("k.weight", start + 16, 16) as object);
    expect(weights.take("v.weight", [2, 2])).toMatchObject(initializer("v.weight", start + 32, 16) as object);
  });

  it("gives the halves of a swapped weight the other way round", async () => {
    const weights = (await fileOf(TENSORS)).arrange("transformer", LAYOUT);
    const start = weights.take("v.weight", [2, 2]).origin as unknown as { data: { byteOffset: number } };
    const after = start.data.byteOffset + 16;
    expect(weights.take("out.weight", [4, 2])).toMatchObject({
      shape: [4, 2],
      origin: {
        node: {
          opType: "Concat",
          inputs: [initializer("out.weight[0]", after + 16, 16), initializer("out.weight[1]", after, 16)],
        },
      },
    });
  });

  it("multiplies every part of a scaled weight by its scale, and needs nothing else of ComfyUI's", async () => {
    const file = await fileOf(
      withPrefix({
        ...TENSORS,
        "qkv.weight": fp8([6, 2]),
        "qkv.scale_weight": float32([0.5], []),
        "qkv.scale_input": float32([1], []),
        scaled_fp8: fp8([0]),
      }),
    );
    const weights = file.arrange("transformer", LAYOUT);
    for (const name of ["q", "k", "v"]) {
      expect(weights.take(`${name}.weight`, [2, 2])).toMatchObject({
        dtype: "float32",
        origin: {
          node: {
            opType: "Mul",
            inputs: [
              { origin: { node: { opType: "Cast", inputs: [{ dtype: "float8e4m3fn" }] } } },
              { dtype: "float32", shape: [], origin: { name: `${name}.scale_weight` } },
            ],
          },
        },
      });
    }
  });
});

describe("a single file is refused by its name and the key", () => {
  const { "last.weight": last, ...withoutLast } = TENSORS;
  const refused: [string, Record<string, TensorFields>, string][] = [
    ["is missing", withoutLast, "lacks the weight last.weight [4, 2]"],
    [
      "is missing, with its prefix",
      withPrefix(withoutLast),
      "lacks the weight model.diffusion_model.last.weight [4, 2]",
    ],
    [
      "has another shape",
      { ...TENSORS, "last.weight": tensorOf([2, 4]) },
      "has last.weight in the shape [2, 4] where [4, 2] is wanted",
    ],
    ["is unknown", { ...TENSORS, more: last! }, "holds more, for which the network has no place"],
    [
      "is unknown, one of several",
      { ...TENSORS, ...Object.fromEntries(["a", "b", "c", "d"].map((key) => [key, last!])) },
      "holds a, b, c and 1 more, for which the network has no place",
    ],
    [
      "lacks the prefix that the others have",
      { ...withPrefix(TENSORS), "last.weight": last! },
      "holds last.weight, for which the network has no place",
    ],
    [
      "is the scale of no weight",
      { ...TENSORS, "other.scale_weight": float32([1], []) },
      "holds other.scale_weight, for which the network has no place",
    ],
    [
      "is a scale of more than one number",
      { ...TENSORS, "qkv.scale_weight": float32([1, 2]) },
      "has qkv.scale_weight as F32 [2] where one F32 number is wanted",
    ],
  ];
  it.each(refused)("that %s", async (_, tensors, sentence) => {
    const file = await fileOf(tensors);
    expect(() => file.arrange("transformer", LAYOUT)).toThrow(
      refusal("CHECKPOINT_INVALID", `The weights file ${file.file} ${sentence}.`),
    );
  });

  it("that is stored in a type that cannot be read", async () => {
    const file = await fileOf({ ...TENSORS, "last.weight": { ...fp8([4, 2]), dtype: "F8_E5M2" } });
    expect(() => file.arrange("transformer", LAYOUT)).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `The weights file ${file.file} stores last.weight as F8_E5M2; F64, F32, F16, BF16, F8_E4M3, whole numbers and BOOL can be read.`,
      ),
    );
  });

  it("that the sizes are read off", async () => {
    const file = await fileOf({ ...TENSORS, scalar: float32([1], []) });
    expect(() => file.dimension("img_in.weight", 0)).toThrow(
      refusal("CHECKPOINT_INVALID", `The weights file ${file.file} lacks the weight img_in.weight.`),
    );
    expect(() => file.dimension("scalar", 0)).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        `The weights file ${file.file} has scalar in the shape [], which has no use.`,
      ),
    );
  });

  it("or by its name alone where it does not exist", async () => {
    const file = path.join(await temporaryFolder(), "none.safetensors");
    await expect(SingleFile.open(file)).rejects.toEqual(
      refusal("CHECKPOINT_MISSING", `The weights file ${file} does not exist.`),
    );
  });
});

describe("the numbers below a prefix", () => {
  it("are counted once each, however large", async () => {
    const one = tensorOf([1]);
    const keys = ["blocks.0.a", "blocks.0.b", "blocks.1000000000.a", "blocks.x.a", "blocks", "other.3.a"];
    const file = await fileOf(Object.fromEntries(keys.map((key) => [key, one])));
    expect(file.countBelow("blocks")).toBe(2);
  });
});
