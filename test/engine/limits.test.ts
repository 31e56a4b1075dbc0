/** Every number of a checkpoint's configurations that a loop, a graph or memory follows has an end, named in a sentence. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readModelPlan } from "../../src/engine/forecast.ts";
import { createEngine } from "../../src/engine/engine.ts";
import { refusal } from "../support/refusal.ts";
import { copyOfCheckpoint } from "../support/temporary.ts";

/** The largest that each may be, by file. */
const LIMITS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "transformer/config.json": {
    in_channels: 1024,
    out_channels: 1024,
    num_layers: 1000,
    num_single_layers: 1000,
    num_attention_heads: 1024,
    attention_head_dim: 131_072,
    joint_attention_dim: 131_072,
    pooled_projection_dim: 131_072,
    patch_size: 131_072,
  },
  "vae/config.json": {
    in_channels: 131_072,
    latent_channels: 256,
    layers_per_block: 1000,
    norm_num_groups: 131_072,
    out_channels: 131_072,
  },
  "text_encoder/config.json": {
    hidden_size: 131_072,
    num_attention_heads: 1024,
    intermediate_size: 131_072,
    num_hidden_layers: 1000,
    vocab_size: 1_000_000,
    max_position_embeddings: 4096,
  },
  "text_encoder_2/config.json": {
    d_model: 131_072,
    d_kv: 131_072,
    num_heads: 1024,
    d_ff: 131_072,
    num_layers: 1000,
    vocab_size: 1_000_000,
    relative_attention_num_buckets: 4096,
    relative_attention_max_distance: 1_000_000,
  },
};

async function checkpointWith(file: string, fields: object): Promise<{ folder: string; changed: string }> {
  const folder = await copyOfCheckpoint("plain");
  const changed = path.join(folder, file);
  const all = JSON.parse(await readFile(changed, "utf8")) as object;
  await writeFile(changed, JSON.stringify({ ...all, ...fields }));
  return { folder, changed };
}

describe.each(Object.entries(LIMITS))("%s", (file, limits) => {
  it.each(Object.entries(limits))("has %s up to %i", async (field, limit) => {
    // A list is one of the class's forms of this field.
    const wrong = field === "sample_size" ? [["8"]] : [[8]];
    for (const value of [limit + 1, 1e9, 2 ** 60, -1, 1.5, "8", ...wrong]) {
      const { folder, changed } = await checkpointWith(file, { [field]: value });
      const sentence = `In ${changed}, ${field} must be a whole number from `;
      const error: unknown = await readModelPlan(folder, {}).catch((cause: unknown) => cause);
      expect(error).toEqual(refusal("CHECKPOINT_INVALID", /^In .* to \d+ and is [^\n]+\.$/));
      expect((error as Error).message).toContain(sentence);
      expect((error as Error).message).toContain(` to ${limit} and is `);
    }
  });
});

describe("a checkpoint", () => {
  it.each<[string, object, RegExp]>([
    [
      "transformer/config.json",
      { num_layers: 1e9 },
      /num_layers must be a whole number from 0 to 1000 and is 1000000000\.$/,
    ],
    [
      "transformer/config.json",
      { axes_dims_rope: Array(1e5).fill(2) },
      /axes_dims_rope must be three even numbers .* and is a long or nested list\.$/,
    ],
    [
      "vae/config.json",
      { block_out_channels: Array(40).fill(8) },
      /block_out_channels must be a list of at most 8 whole numbers .* and is a long or nested list\.$/,
    ],
    [
      "vae/config.json",
      { sample_size: [8193, 8] },
      /sample_size must be a whole number from 0 to 8192 and is 8193\.$/,
    ],
    [
      "text_encoder/config.json",
      { eos_token_id: 2 ** 40 },
      /eos_token_id must be one token's whole number and is 1099511627776\.$/,
    ],
    [
      "text_encoder_2/config.json",
      { num_layers: 1e9 },
      /num_layers must be a whole number from 0 to 1000 and is 1000000000\.$/,
    ],
    [
      "text_encoder_2/config.json",
      { relative_attention_num_buckets: 3 },
      /relative_attention_num_buckets \(3\) must be 4 or more, and relative_attention_max_distance \(\d+\) more than a quarter of it\.$/,
    ],
    [
      "text_encoder_2/config.json",
      { relative_attention_max_distance: 1 },
      /must be 4 or more, and relative_attention_max_distance \(1\) more than a quarter of it\.$/,
    ],
    [
      "tokenizer_2/tokenizer_config.json",
      { model_max_length: -1 },
      /model_max_length must be a whole number from 1 to 1000000000 and is -1\.$/,
    ],
    ["scheduler/scheduler_config.json", { shift: "3" }, /shift must be a number and is "3"\.$/],
    [
      "model_index.json",
      { _class_name: "x".repeat(201) },
      /_class_name must be a text of at most 200 characters and is "x{99}\.\.\.\.$/,
    ],
  ])("is refused at once by an engine for %s with %o", async (file, fields, sentence) => {
    const { folder, changed } = await checkpointWith(file, fields);
    const failure = createEngine({ checkpoint: folder });
    await expect(failure).rejects.toEqual(refusal("CHECKPOINT_INVALID", sentence));
    await expect(failure).rejects.toThrow(`In ${changed}, `);
  });

  it("whose tokenizer has more ids than its network has rows is refused when a text needs one", async () => {
    const { folder, changed } = await checkpointWith("tokenizer_2/tokenizer.json", {});
    const json = JSON.parse(await readFile(changed, "utf8")) as { added_tokens: object[] };
    // Whatever ids the file gives them, new tokens follow the vocabulary.
    for (let index = 0; index < 1000; index += 1) {
      json.added_tokens.push({
        id: 100_000 + index,
        content: `<new ${index}>`,
        special: false,
        normalized: false,
      });
    }
    await writeFile(changed, JSON.stringify(json));
    const engine = await createEngine({ checkpoint: folder, threads: 1, safety: { isOn: false } });
    const image = await readFile(path.join(import.meta.dirname, "../../examples/bluebird.png"));
    const size = { width: 16, height: 16 };
    const failure = engine.edit({ image, prompt: "a <new 999>", size, numSteps: 1 });
    await expect(failure).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        new RegExp(`^The tokenizer file ${changed} gives the id \\d+, and its network knows \\d+\\.$`),
      ),
    );
    const { width } = await engine.edit({ image, prompt: "a fox", size, numSteps: 1 });
    expect(width).toBe(16);
    await engine.close();
  });
});
