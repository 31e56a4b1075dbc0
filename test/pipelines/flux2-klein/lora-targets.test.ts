/** LoRAs of FLUX.2 in every naming lead to the layers, and to the velocity, that the reference finds. */
import { describe, expect, it } from "vitest";
import { joinLoras } from "../../../src/lora/join.ts";
import type { Lora } from "../../../src/lora/lora-file.ts";
import { readLora } from "../../../src/lora/read-lora.ts";
import { AdapterInputs } from "../../../src/models/adapters.ts";
import type { Outputs } from "../../../src/models/count.ts";
import { flux2Transformer } from "../../../src/models/transformers/flux2.ts";
import { flux2Modulation } from "../../../src/models/transformers/flux2-modulation.ts";
import { createFindTarget } from "../../../src/pipelines/flux2-klein/lora-targets.ts";
import type { WeightScope } from "../../../src/weights/weight-set.ts";
import { difference } from "../../support/compare.ts";
import { readJson, readTensors } from "../../support/fixtures.ts";
import { Flux2Case, type RunOptions } from "../../support/flux2.ts";
import { madeUpLora, type MadeUpLora, writeLora } from "../../support/flux2-loras.ts";
import { madeUpWeights } from "../../support/made-up.ts";
import { refusal } from "../../support/refusal.ts";
import { float32 } from "../../support/safetensors.ts";

interface LoraFile extends MadeUpLora {
  /** Those that the reference adapts. */
  layers: string[];
}

const files = readJson<Record<string, LoraFile>>("flux2-loras.json");
const velocities = await readTensors("flux2-loras.safetensors");
const edit = await Flux2Case.read("guidance");
const findTarget = createFindTarget(edit.config);

const TOLERANCE = 1e-4;

const read = async (name: string): Promise<Lora> =>
  readLora(await writeLora(madeUpLora(files[name]!)), findTarget);

/** A run of the network with the LoRA. */
function adapted(lora: Lora, build: (weights: WeightScope) => Outputs): RunOptions {
  const inputs = new AdapterInputs();
  const weights = madeUpWeights({ adapt: inputs });
  build(weights);
  return { weights, feeds: inputs.inputsOf(joinLoras([{ file: "ink.safetensors", lora, scale: 1 }])) };
}

describe.each(Object.keys(files))("a LoRA of FLUX.2 in the naming %s", (name) => {
  it("adapts the layers that the reference adapts", async () => {
    const { layers, unusedKeys } = await read(name);
    expect([...layers.keys()].toSorted()).toEqual(files[name]!.layers);
    expect(unusedKeys).toEqual([]);
  });

  it("leads to the reference's velocity", async () => {
    const lora = await read(name);
    const { config, textLength } = edit;
    const [modulation] = await edit.modulation(
      undefined,
      adapted(lora, (weights) => flux2Modulation(config, weights, { isGuided: true })),
    );
    const options = adapted(lora, (weights) => flux2Transformer(config, weights, { textLength }));
    const velocity = await edit.velocity({ ...options, modulation: modulation! });
    const expected = velocities.get(name)!.data as Float32Array;
    expect(difference(velocity, expected).relative).toBeLessThan(TOLERANCE);
    expect(edit.differenceOf("velocity", velocity)).toBeGreaterThan(1e-2);
  });
});

describe("the table of FLUX.2's layers", () => {
  const width = edit.config.numHeads * edit.config.headSize;

  it.each(["diffusion_model.double_blocks.0.txt_attn.qkv", "lora_unet_double_blocks_0_txt_attn_qkv"])(
    "knows the fused layer %s as three",
    (module) => {
      const layers = ["add_q_proj", "add_k_proj", "add_v_proj"].map(
        (layer) => `transformer_blocks.0.attn.${layer}`,
      );
      expect(findTarget(module)).toEqual({
        columns: width,
        parts: layers.map((layer) => ({ layer, rows: width })),
        isSwapped: false,
      });
    },
  );

  it.each([
    "transformer_blocks.1.attn.to_q",
    "single_blocks.0.qkv",
    "text_encoder.layers.0.mlp",
    "constructor",
  ])("does not know %s", (module) => expect(findTarget(module)).toBeUndefined());
});

it.each([
  "diffusion_model.double_blocks.0.img_attn.qkv.lokr_w1",
  "lycoris_transformer_blocks_0_attn_to_q.lokr_w2_a",
])("a LoKr of FLUX.2 is refused by name: %s", async (key) => {
  const file = await writeLora({ [key]: float32([1, 2, 3, 4], [2, 2]) });
  await expect(readLora(file, findTarget)).rejects.toEqual(
    refusal(
      "LORA_UNSUPPORTED",
      new RegExp(`^The LoRA file .* is a LoKr \\(${key.replaceAll(".", "\\.")}\\); `),
    ),
  );
});
