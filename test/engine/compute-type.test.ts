/** The transformer in half precision: in float16 beside the reference, in bfloat16 as far as a processor goes. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { Adapters } from "../../src/models/adapters.ts";
import { loadNetworks } from "../../src/pipelines/flux1-kontext/model.ts";
import { fluxTransformer } from "../../src/models/transformers/flux.ts";
import { readFluxConfig } from "../../src/models/transformers/flux-config.ts";
import { COMPUTE_TYPES } from "../../src/onnx/dtype.ts";
import { buildModel } from "../../src/onnx/graph.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { editCases } from "../support/cases.ts";
import { difference } from "../support/compare.ts";
import { readTensors, root } from "../support/fixtures.ts";
import { readModel } from "../support/onnx.ts";
import { refusal } from "../support/refusal.ts";
import { firstVelocity } from "../support/velocity.ts";

/** Rounding to 11 bits in a few blocks; the processor, which computes between casts, rounds less often than a GPU. */
const TOLERANCE = 2e-3;

const open = (checkpoint: string): Promise<Checkpoint> => Checkpoint.open(path.join(root, checkpoint));

const CASES = new Set(["tiny-bluebird", "plain-square", "odd-other-size"]);

describe.each(editCases.filter(({ name }) => CASES.has(name)))("the edit $name", (edit) => {
  it("has the same first velocity in float16", async () => {
    const networks = await loadNetworks(await open(edit.checkpoint), { threads: 1, computeType: "float16" });
    const tensors = await readTensors(`cases/${edit.name}.safetensors`);
    const velocity = await firstVelocity(networks, tensors, edit.guidance);
    await networks.dispose();
    const { relative } = difference(velocity, tensors.get("velocity")!.data as Float32Array);
    expect(relative).toBeLessThanOrEqual(TOLERANCE);
    // Or it was computed in float32 after all.
    expect(relative).toBeGreaterThan(1e-5);
  });
});

it("adds adapters in the type that a layer computes in", async () => {
  const networks = await loadNetworks(
    await open("test/fixtures/checkpoints/plain"),
    { threads: 1, computeType: "float16" },
    { isAdaptable: true },
  );
  const { inChannels, promptSize, pooledSize, headSize } = networks.flux;
  const filled = (length: number): Float32Array => new Float32Array(length).fill(0.5);
  const prompt = {
    promptEmbeds: {
      data: filled(networks.textLength * promptSize),
      shape: [networks.textLength, promptSize],
    },
    pooledPromptEmbeds: { data: filled(pooledSize), shape: [1, pooledSize] },
    clipTokenIds: [],
    t5TokenIds: [],
    isCut: false,
  };
  const angles = filled((networks.textLength + 2) * (headSize / 2));
  const [modulation] = await networks.modulations(Float32Array.of(0.5), 1, prompt);
  const velocity = (adapters?: Adapters): Promise<Float32Array> =>
    networks.velocity({
      latents: filled(inChannels),
      referenceLatents: filled(inChannels),
      rotary: { cos: angles, sin: angles },
      prompt,
      modulation: modulation!,
      adapters,
    });
  const before = await velocity();
  const ones = (length: number): Float32Array => new Float32Array(length).fill(0.1);
  const width = networks.flux.numHeads * headSize;
  // One layer that computes in float16, and one in float32.
  for (const [key, rows] of [
    ["single_transformer_blocks.1.attn.to_v", width],
    ["proj_out", networks.flux.outChannels],
  ] as const) {
    const adapters = new Map([[key, { rank: 1, down: ones(width), up: ones(rows) }]]);
    expect(difference(await velocity(adapters), before).largest, key).toBeGreaterThan(1e-3);
  }
  await networks.dispose();
});

describe("the graph", () => {
  /** Of the shipped checkpoint, whose weights are float16. */
  async function graphOf(computeType: (typeof COMPUTE_TYPES)[number]) {
    const checkpoint = await open("checkpoints/tiny");
    const config = readFluxConfig(await checkpoint.config("transformer/config.json"));
    const weights = (await checkpoint.weights("transformer")).scope();
    return readModel(
      buildModel("transformer", fluxTransformer(config, weights, { textLength: 8, computeType })),
    );
  }
  function castWeights({ nodes, initializers }: Awaited<ReturnType<typeof graphOf>>): string[] {
    const stored = new Set(initializers);
    return nodes.flatMap(({ opType, inputs }) =>
      opType === "Cast" && stored.has(inputs[0]!) ? [inputs[0]!] : [],
    );
  }

  it("takes weights as they are stored where the blocks compute in their type", async () => {
    const ofBlocks = (keys: string[]): string[] => keys.filter((key) => key.includes("transformer_blocks."));
    const inFloat16 = castWeights(await graphOf("float16"));
    // The scales of queries and keys, which are normalised in float32.
    expect(ofBlocks(inFloat16).every((key) => /\.norm_(added_)?[qk]\.weight$/.test(key))).toBe(true);
    const inFloat32 = castWeights(await graphOf("float32"));
    expect(inFloat32).toEqual((await graphOf("float32")).initializers.filter((key) => key.includes(".")));
  });

  it("has no cast but of weights in float32", async () => {
    const model = await graphOf("float32");
    const casts = model.nodes.filter(({ opType }) => opType === "Cast");
    expect(casts).toHaveLength(castWeights(model).length);
  });
});

it("has types that fit throughout in bfloat16, and no kernels on the processor", async () => {
  // The runtime checks every operator's types before it looks for the first kernel.
  const loading = loadNetworks(await open("checkpoints/tiny"), { threads: 1, computeType: "bfloat16" });
  await expect(loading).rejects.toEqual(
    refusal(
      "RUNTIME_FAILED",
      /^The network transformer does not load: Could not find an implementation for Gemm\(13\)/,
    ),
  );
});
