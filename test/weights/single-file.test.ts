import path from "node:path";
import { describe, expect, it } from "vitest";
import { wantedOf } from "../../src/models/layouts/file-networks.ts";
import { storedSource } from "../../src/quantize/stored-source.ts";
import { SingleFile } from "../../src/weights/single-file.ts";
import type { LayoutEntry } from "../../src/weights/tensor-file.ts";
import { widened } from "../../src/weights/widened.ts";
import { evaluate } from "../support/onnx.ts";
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
  return SingleFile.open(file, wantedOf("transformer", "FLUX.1"));
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

it("is refused with one weight under two prefixes", async () => {
  const [key] = Object.keys(TENSORS);
  const both = { ...withPrefix(TENSORS), [`diffusion_model.${key}`]: TENSORS["last.weight"]! };
  await expect(fileOf(both)).rejects.toEqual(
    refusal(
      "CHECKPOINT_INVALID",
      new RegExp(`has model.diffusion_model.${key} and diffusion_model.${key}, which are one weight\\.$`),
    ),
  );
});

describe("factors of fp8", () => {
  const bytes = (shape: number[]): TensorFields => ({
    dtype: "F8_E4M3",
    shape,
    bytes: Uint8Array.from({ length: count(shape) }, (_, index) => 0x30 + index),
  });
  const widen = ({ bytes: stored }: TensorFields): number[] => [...widened("float8e4m3fn", stored)];
  const hint = { dtype: "U8", shape: [2], bytes: new Uint8Array(2) };
  /** By row of `qkv`, then of `last`. */
  const FACTORS = [
    [1, 2, 3, 4, 5, 6],
    [7, 8, 9, 10],
  ] as const;

  it.each([
    ["of the rows [N]", "weight_scale", [6], [4], FACTORS],
    ["of the rows [N, 1]", "weight_scale", [6, 1], [4, 1], FACTORS],
    ["of whole weights []", "scale_weight", [], [], [[3], [5]]],
    ["of whole weights [1]", "weight_scale", [1], [1], [[3], [5]]],
    ["of whole weights [1, 1]", "weight_scale", [1, 1], [1, 1], [[3], [5]]],
  ] as const)("%s go with their rows", async (_, name, ofQkv, ofLast, [forQkv, forLast]) => {
    const tensors = {
      "qkv.weight": bytes([6, 2]),
      [`qkv.${name}`]: float32(forQkv, [...ofQkv]),
      "qkv.input_scale": float32([9], []),
      "qkv.comfy_quant": hint,
      "last.weight": bytes([4, 2]),
      [`last.${name}`]: float32(forLast, [...ofLast]),
    };
    const file = await fileOf(withPrefix(tensors));
    const scaled = (weight: TensorFields, factors: readonly number[]): number[] =>
      widen(weight).map((value, index) => value * factors[factors.length === 1 ? 0 : index >> 1]!);
    const [qkv, last] = [scaled(tensors["qkv.weight"]!, forQkv), scaled(tensors["last.weight"]!, forLast)];
    const expected = {
      "q.weight": qkv.slice(0, 4),
      "k.weight": qkv.slice(4, 8),
      "v.weight": qkv.slice(8),
      "out.weight": [...last.slice(4), ...last.slice(0, 4)],
    };
    const weights = file.arrange("transformer", LAYOUT);
    for (const { key, shape, rows } of storedSource(weights).weights()) {
      const values = expected[key as keyof typeof expected];
      expect([...(await rows(0, shape[0]!))], key).toEqual(values);
      expect([...(await rows(1, shape[0]!))], key).toEqual(values.slice(2));
      const { data } = await evaluate(weights.take(key, shape), {}, weights.baseFolder);
      expect(data, key).toEqual(values);
    }
  });

  it("are found where a network's keys have two prefixes", async () => {
    const [whole, inner] = ["text_encoders.t5xxl.", "text_encoders.t5xxl.transformer."];
    const name = path.join(await temporaryFolder(), "t5.safetensors");
    await writeSafetensors(name, {
      [`${whole}logit_scale`]: float32([1], []),
      [`${inner}a.weight`]: bytes([1, 2]),
      [`${inner}a.weight_scale`]: float32([3], []),
    });
    const part = { key: "a.weight", shape: [1, 2] };
    const file = await SingleFile.open(name, wantedOf("t5"));
    const [a] = storedSource(file.arrange("t5", [{ ...part, parts: [part] }])).weights();
    expect([...(await a!.rows(0, 1))]).toEqual(widen(bytes([1, 2])).map((value) => 3 * value));
    expect(() => file.dimension("b.weight", 0)).toThrow(`lacks the weight ${inner}b.weight.`);
  });

  const plain = { "qkv.weight": bytes([6, 2]), "last.weight": bytes([4, 2]) };
  it.each<[string, Record<string, TensorFields>, string]>([
    [
      "under two names",
      { "qkv.weight_scale": float32([1], []), "qkv.scale_weight": float32([1], []) },
      "has two factors of qkv.weight: qkv.weight_scale and qkv.scale_weight",
    ],
    [
      "of blocks",
      { "qkv.weight_scale": float32([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [6, 2]) },
      "has qkv.weight_scale as F32 [6, 2] where one number or 6, one for each row, is wanted",
    ],
    [
      "of a type that is none",
      { "qkv.weight_scale": hint },
      "has qkv.weight_scale as U8 [2] where one number or 6, one for each row, is wanted",
    ],
    [
      "that divide",
      { "qkv.weight_scale_inv": float32([1], []) },
      "holds qkv.weight_scale_inv, for which the network has no place",
    ],
  ])("are refused %s", async (_, more, sentence) => {
    const file = await fileOf({ ...plain, ...more });
    expect(() => file.arrange("transformer", LAYOUT)).toThrow(
      refusal("CHECKPOINT_INVALID", `The weights file ${file.file} ${sentence}.`),
    );
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
      "has qkv.scale_weight as F32 [2] where one number or 6, one for each row, is wanted",
    ],
  ];
  it.each(refused)("that %s", async (_, tensors, sentence) => {
    const file = await fileOf(tensors);
    expect(() => file.arrange("transformer", LAYOUT)).toThrow(
      refusal("CHECKPOINT_INVALID", `The weights file ${file.file} ${sentence}.`),
    );
  });

  it("that is stored in a type that cannot be read", async () => {
    const file = await fileOf({ ...TENSORS, "last.weight": { ...fp8([4, 2]), dtype: "F4" } });
    expect(() => file.arrange("transformer", LAYOUT)).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `The weights file ${file.file} stores last.weight as F4; F64, F32, F16, BF16, F8_E4M3, F8_E5M2, whole numbers and BOOL can be read.`,
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
    await expect(SingleFile.open(file, wantedOf("transformer", "FLUX.1"))).rejects.toEqual(
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
