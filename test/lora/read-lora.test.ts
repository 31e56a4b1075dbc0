import { truncate } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { float16FromBits as float16Value } from "../../src/weights/float-bits.ts";
import { readLora } from "../../src/lora/read-lora.ts";
import { createFindTarget } from "../../src/pipelines/flux1-kontext/lora-targets.ts";
import { AdapterInputs } from "../../src/models/adapters.ts";
import { fluxTransformer } from "../../src/models/transformers/flux.ts";
import { readFluxConfig } from "../../src/models/transformers/flux-config.ts";
import { fluxModulation } from "../../src/models/transformers/flux-modulation.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import { refusal } from "../support/refusal.ts";
import { float32, type TensorFields, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { readComponent } from "../support/weights.ts";

const { config: fields, tensors: weights } = await readComponent("plain", "transformer");
const config = readFluxConfig(fields);
const findTarget = createFindTarget(config);
const partsOf = (module: string) => {
  const target = findTarget(module);
  return target && "parts" in target ? target.parts : undefined;
};
const WIDTH = config.numHeads * config.headSize;

const numbers = (rows: number, columns: number): TensorFields =>
  float32(
    Array.from({ length: rows * columns }, (_, index) => index / 64),
    [rows, columns],
  );

/** A LoRA of one layer of ours; `changes` are other tensors, undefined takes one away. */
async function write(
  changes: Record<string, TensorFields | undefined> = {},
  metadata?: Record<string, string>,
): Promise<string> {
  const file = path.join(await temporaryFolder(), "ink.safetensors");
  const tensors = {
    [`${LAYER}.lora_A.weight`]: numbers(2, WIDTH),
    [`${LAYER}.lora_B.weight`]: numbers(WIDTH, 2),
  };
  const changed = Object.entries({ ...tensors, ...changes }).filter(([, tensor]) => tensor !== undefined);
  await writeSafetensors(file, Object.fromEntries(changed) as Record<string, TensorFields>, metadata);
  return file;
}
const LAYER = "transformer.transformer_blocks.0.attn.to_q";

describe("the table of layers", () => {
  it("has every linear layer of the network, in its size", () => {
    const inputs = new AdapterInputs();
    const scope = new WeightSet("transformer", weights).scope("", inputs);
    fluxModulation(config, scope);
    fluxTransformer(config, scope, { textLength: 4 });
    const matrices = [...weights].filter(([, { shape }]) => shape.length === 2);
    expect([...inputs.layers.keys()].toSorted()).toEqual(
      matrices.map(([key]) => key.replace(/\.weight$/, "")).toSorted(),
    );
    for (const [layer, { rows, columns }] of inputs.layers) {
      expect(findTarget(layer)).toEqual({ columns, parts: [{ layer, rows }], isSwapped: false });
    }
  });

  it.each([
    "transformer_blocks.1.attn.to_q",
    "transformer.transformer_blocks.1.attn.to_q",
    "base_model.model.transformer_blocks.1.attn.to_q",
    "diffusion_model.transformer_blocks.1.attn.to_q",
    "lora_transformer_transformer_blocks_1_attn_to_q",
  ])("knows a layer as %s", (module) => {
    expect(partsOf(module)).toEqual([{ layer: "transformer_blocks.1.attn.to_q", rows: WIDTH }]);
  });

  it.each([
    "single_blocks.1.linear1",
    "diffusion_model.single_blocks.1.linear1",
    "model.diffusion_model.single_blocks.1.linear1",
    "lora_unet_single_blocks_1_linear1",
  ])("knows a fused layer as %s", (module) => {
    const at = "single_transformer_blocks.1";
    expect(partsOf(module)).toEqual([
      ...["to_q", "to_k", "to_v"].map((name) => ({ layer: `${at}.attn.${name}`, rows: WIDTH })),
      { layer: `${at}.proj_mlp`, rows: 4 * WIDTH },
    ]);
  });

  it.each(["lora_te1_text_model_encoder_layers_0_mlp_fc1", "transformer_blocks.2.attn.to_q", "constructor"])(
    "does not know %s",
    (module) => expect(findTarget(module)).toBeUndefined(),
  );
});

describe("a LoRA's file", () => {
  it("is read with the factor that its alpha makes, and what has no place is named", async () => {
    const te = "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q.lora_A.weight";
    const file = await write({ [`${LAYER}.alpha`]: float32([3], []), [te]: numbers(2, 4) });
    const { layers, unusedKeys } = await readLora(file, findTarget);
    expect(unusedKeys).toEqual([te]);
    const layer = layers.get("transformer_blocks.0.attn.to_q")!;
    expect(layer).toMatchObject({ rank: 2, factor: 1.5 });
    expect(layer.up.at(-1)).toBe((2 * WIDTH - 1) / 64);
    expect(layers.size).toBe(1);
  });

  it("has the factor that peft's configuration gives where it has no alpha", async () => {
    const read = async (settings: object) => {
      const file = await write({}, { lora_adapter_metadata: JSON.stringify(settings) });
      return (await readLora(file, findTarget)).layers.get("transformer_blocks.0.attn.to_q")!.factor;
    };
    const rank = { "transformer.r": 2 };
    expect(await read(rank)).toBe(4);
    expect(await read({ ...rank, "transformer.lora_alpha": 8, "transformer.use_rslora": true })).toBe(
      8 / Math.sqrt(2),
    );
    await expect(read({})).rejects.toEqual(
      refusal("LORA_INVALID", / has .*lora_A\.weight of the rank 2 where its configuration says 8\.$/),
    );
    await expect(read({ ...rank, "transformer.use_dora": true })).rejects.toEqual(
      refusal("LORA_INVALID", / is a DoRA by its configuration and lacks the magnitudes of .*to_q\.$/),
    );
    await expect(read({ ...rank, "transformer.future": 1 })).rejects.toEqual(
      refusal("LORA_INVALID", / has the field future in its metadata, which peft does not know\.$/),
    );
  });

  it("says what is not known of its strength", async () => {
    const remarksOf = async (changes: Parameters<typeof write>[0]) =>
      (await readLora(await write(changes), findTarget)).remarks;
    expect(await remarksOf({})).toEqual([expect.stringMatching(/^does not say how strong it is/)]);
    expect(await remarksOf({ [`${LAYER}.alpha`]: float32([3], []) })).toEqual([]);
  });

  it.each([
    ["LoHa", "lora_unet_double_blocks_0_img_mlp_0.hada_w1_a"],
    ["LoKr", "lora_unet_double_blocks_0_img_mlp_0.lokr_w2"],
  ])("is refused as a %s, with what converts it: %s", async (method, key) => {
    const file = await write({ [key]: numbers(2, 2) });
    await expect(readLora(file, findTarget)).rejects.toEqual(
      refusal(
        "LORA_UNSUPPORTED",
        `The LoRA file ${file} is a ${method} (${key}); convert it to a plain LoRA first, for example with peft's save_as_lora, or merge it into the checkpoint with LyCORIS.`,
      ),
    );
  });

  it.each([
    ["I64", new Uint8Array(BigInt64Array.of(3n).buffer), [1]],
    ["F64", new Uint8Array(Float64Array.of(3).buffer), []],
    ["I32", new Uint8Array(Int32Array.of(3).buffer), [1, 1]],
  ])("may have its alpha as %s", async (dtype, bytes, shape) => {
    const file = await write({ [`${LAYER}.alpha`]: { dtype, shape, bytes } });
    const { layers } = await readLora(file, findTarget);
    expect(layers.get("transformer_blocks.0.attn.to_q")!.factor).toBe(1.5);
  });

  it("may have its matrices in double precision and in fp8", async () => {
    const eights = new Uint8Array(2 * WIDTH).fill(0x38);
    const doubles = new Uint8Array(Float64Array.from({ length: 2 * WIDTH }, () => 0.25).buffer);
    const file = await write({
      [`${LAYER}.lora_A.weight`]: { dtype: "F8_E4M3", shape: [2, WIDTH], bytes: eights },
      [`${LAYER}.lora_B.weight`]: { dtype: "F64", shape: [WIDTH, 2], bytes: doubles },
    });
    const layer = (await readLora(file, findTarget)).layers.get("transformer_blocks.0.attn.to_q")!;
    expect([layer.down[0], layer.up[0]]).toEqual([1, 0.25]);
  });

  it("is widened with zeros where its A is narrower than the layer", async () => {
    const file = await write({ [`${LAYER}.lora_A.weight`]: numbers(2, 5) });
    const { down } = (await readLora(file, findTarget)).layers.get("transformer_blocks.0.attn.to_q")!;
    expect(down.length).toBe(2 * WIDTH);
    expect([down[4], down[5], down[WIDTH]]).toEqual([4 / 64, 0, 5 / 64]);
  });

  it("in two namings is read in the one that diffusers takes", async () => {
    const fused = "lora_unet_double_blocks_0_img_attn_qkv";
    const ones = float32(
      Array.from({ length: 3 * WIDTH }, () => 1),
      [3 * WIDTH, 1],
    );
    const file = await write({
      [`${fused}.lora_down.weight`]: numbers(1, WIDTH),
      [`${fused}.lora_up.weight`]: ones,
    });
    const { layers, remarks } = await readLora(file, findTarget);
    expect([...layers.keys()]).toEqual(["transformer_blocks.0.attn.to_q"]);
    expect(remarks).toContain(`is in two namings, of which diffusers takes one; without effect are ${fused}`);
  });

  it.each([
    ["the matrices", LAYER, ".lora_A.weight", ".lora_B.weight"],
    ["the module", "diffusion_model.double_blocks.0.img_attn.proj", ".lora_down.weight", ".lora_up.weight"],
  ])("is read under the last spelling of %s, as by diffusers", async (_, module, down, up) => {
    const [one, other] =
      module === LAYER ? [LAYER, LAYER] : [module, "lora_unet_double_blocks_0_img_attn_proj"];
    const file = await write({
      ...Object.fromEntries(["A", "B"].map((name) => [`${LAYER}.lora_${name}.weight`, undefined])),
      [`${one}${down}`]: numbers(1, WIDTH),
      [`${one}${up}`]: numbers(WIDTH, 1),
      [`${other}.lora_down.weight`]: numbers(2, WIDTH),
      [`${other}.lora_up.weight`]: numbers(WIDTH, 2),
    });
    const { layers, remarks } = await readLora(file, findTarget);
    expect([...layers.values()].map(({ rank }) => rank)).toEqual([2]);
    expect(remarks).toContainEqual(expect.stringMatching(/^has layers under two spellings, /));
  });

  it.each<[string, Record<string, TensorFields | undefined>, string]>([
    [
      "A of another width",
      { [`${LAYER}.lora_A.weight`]: numbers(2, WIDTH + 1) },
      `has ${LAYER}.lora_A.weight in the shape [2, ${WIDTH + 1}] where [2, ${WIDTH}] is wanted`,
    ],
    [
      "B of another rank",
      { [`${LAYER}.lora_B.weight`]: numbers(WIDTH, 3) },
      `has ${LAYER}.lora_B.weight in the shape [${WIDTH}, 3] where [${WIDTH}, 2] is wanted`,
    ],
    ["no B", { [`${LAYER}.lora_B.weight`]: undefined }, `has only one of the two matrices of ${LAYER}`],
    [
      "rank 0",
      { [`${LAYER}.lora_A.weight`]: numbers(0, WIDTH) },
      `has ${LAYER}.lora_A.weight of the rank 0; from 1 to 1024 can be used`,
    ],
    [
      "a number that is none",
      { [`${LAYER}.alpha`]: float32([Infinity]) },
      `has numbers in ${LAYER}.alpha that are not finite`,
    ],
    [
      "no key for this network",
      {
        [`${LAYER}.lora_A.weight`]: undefined,
        [`${LAYER}.lora_B.weight`]: undefined,
        "unet.down_blocks.0.lora_A.weight": numbers(1, 1),
      },
      "has 1 keys, such as unet.down_blocks.0.lora_A.weight, none of them for this network",
    ],
  ])("is refused by its name with %s", async (_, changes, what) => {
    const file = await write(changes);
    await expect(readLora(file, findTarget)).rejects.toEqual(
      refusal("LORA_INVALID", `The LoRA file ${file} ${what}.`),
    );
  });

  it("is refused in a type that is not read", async () => {
    const tensor = { dtype: "U8", shape: [2, WIDTH], bytes: new Uint8Array(2 * WIDTH) };
    const file = await write({ [`${LAYER}.lora_A.weight`]: tensor });
    await expect(readLora(file, findTarget)).rejects.toEqual(
      refusal(
        "LORA_UNSUPPORTED",
        / stores .*to_q\.lora_A\.weight as U8; F32, F16, BF16, F64, F8_E4M3 and F8_E5M2 can be read\.$/,
      ),
    );
  });

  it("is refused where it is damaged, or not there", async () => {
    const file = await write();
    await truncate(file, 100);
    await expect(readLora(file, findTarget)).rejects.toEqual(
      refusal("LORA_INVALID", /^The LoRA file .*ink\.safetensors is damaged: /),
    );
    await expect(readLora(`${file}.none`, findTarget)).rejects.toEqual(
      refusal("LORA_INVALID", /^The LoRA file .*\.none cannot be opened\.$/),
    );
  });
});

describe("a number in half precision", () => {
  it.each([
    [0x0000, 0],
    [0x8001, -(2 ** -24)],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3c00, 1],
    [0x3555, 0.333251953125],
    [0xc000, -2],
    [0x7bff, 65_504],
    [0x7c00, Infinity],
    [0x7e00, NaN],
  ])("%d is %d", (half, value) => expect(float16Value(half)).toBe(value));
});
