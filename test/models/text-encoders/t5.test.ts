import { describe, expect, it } from "vitest";
import { readT5Config } from "../../../src/models/text-encoders/t5-config.ts";
import { relativePositionBucket, t5Encoder } from "../../../src/models/text-encoders/t5.ts";
import { Config } from "../../../src/weights/config.ts";
import type { StoredTensor } from "../../../src/weights/safetensors.ts";
import { WeightSet } from "../../../src/weights/weight-set.ts";
import { readModel } from "../../support/onnx.ts";
import { buildModel, type Value } from "../../../src/onnx/graph.ts";
import { refusal } from "../../support/refusal.ts";
import { describeWeights, readComponent } from "../../support/weights.ts";

const SHARED = "shared.weight";
const OWN = "encoder.embed_tokens.weight";

describe("T5's position buckets", () => {
  // From transformers 5.23.0, `T5Attention._relative_position_bucket(torch.arange(-600, 601), True, buckets, distance)`:
  // the distances at which a new bucket begins, from -600 upwards, and that bucket.
  it.each<[number, number, [from: number, bucket: number][]]>([
    // prettier-ignore
    [32, 128, [[-600, 15], [-90, 14], [-63, 13], [-45, 12], [-31, 11], [-22, 10], [-15, 9], [-11, 8], [-7, 7], [-6, 6],
      [-5, 5], [-4, 4], [-3, 3], [-2, 2], [-1, 1], [0, 0], [1, 17], [2, 18], [3, 19], [4, 20], [5, 21], [6, 22], [7, 23],
      [8, 24], [12, 25], [16, 26], [23, 27], [32, 28], [46, 29], [64, 30], [91, 31]]],
    [
      8,
      20,
      [
        [-600, 3],
        [-6, 2],
        [-1, 1],
        [0, 0],
        [1, 5],
        [2, 6],
        [7, 7],
      ],
    ],
    // prettier-ignore
    [16, 64, [[-600, 7], [-31, 6], [-15, 5], [-7, 4], [-3, 3], [-2, 2], [-1, 1], [0, 0], [1, 9], [2, 10], [3, 11],
      [4, 12], [8, 13], [16, 14], [32, 15]]],
    // In float64 the distances 10, 20 and 80 would fall into the bucket before.
    // prettier-ignore
    [20, 160, [[-600, 9], [-79, 8], [-39, 7], [-19, 6], [-9, 5], [-4, 4], [-3, 3], [-2, 2], [-1, 1], [0, 0], [1, 11],
      [2, 12], [3, 13], [4, 14], [5, 15], [10, 16], [20, 17], [40, 18], [80, 19]]],
  ])(
    "are those of the reference, with %i buckets up to a distance of %i",
    (numBuckets, maxDistance, runs) => {
      for (let offset = -600; offset <= 600; offset += 1) {
        const [, bucket] = runs.findLast(([from]) => from <= offset)!;
        expect([offset, relativePositionBucket(offset, { numBuckets, maxDistance })]).toEqual([
          offset,
          bucket,
        ]);
      }
    },
  );
});

describe("T5's feed-forward layer", () => {
  const sizes = { d_model: 8, d_kv: 4, num_heads: 2, d_ff: 16, num_layers: 1, vocab_size: 10 };
  const read = (fields: Record<string, unknown>) =>
    readT5Config(new Config("text_encoder_2/config.json", { ...sizes, ...fields }));

  it.each([
    [undefined, false],
    ["relu", false],
    ["gated-gelu", true],
    ["gated-silu", true],
  ])("%s is gated: %o", (projection, isGated) => {
    expect(read({ feed_forward_proj: projection }).isGated).toBe(isGated);
  });

  it("with an unknown activation is refused by the name of it", () => {
    expect(() => read({ feed_forward_proj: "gated-swiglu" })).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        /^In text_encoder_2\/config\.json, feed_forward_proj is swiglu; known are /,
      ),
    );
  });
});

const build: Parameters<typeof describeWeights>[1] = (config, weights) =>
  t5Encoder(readT5Config(config), weights, { length: 4 });

describeWeights("text_encoder_2", build, {
  isOptional: (key, tensors) => [SHARED, OWN].includes(key) && tensors.has(SHARED) && tensors.has(OWN),
  missedAs: (key) => (key === OWN ? SHARED : key),
});

const initializers = (output: Value): string[] => readModel(buildModel("test", { output })).initializers;

describe("T5's token table", () => {
  it.each([[[SHARED]], [[OWN]], [[SHARED, OWN]]])("may be stored as %s", async (keys) => {
    const { config, tensors } = await readComponent("odd", "text_encoder_2");
    const table = tensors.get(SHARED)!;
    const rest = [...tensors].filter(([key]) => key !== SHARED && key !== OWN);
    const weights = new WeightSet(
      "text_encoder_2",
      new Map([...rest, ...keys.map((key): [string, StoredTensor] => [key, table])]),
    );
    build(config, weights.scope());
    expect(weights.unusedKeys()).toEqual([]);
  });

  it("is the encoder's own where a file holds two", async () => {
    const { config, tensors } = await readComponent("odd", "text_encoder_2");
    const { file, ...place } = tensors.get(OWN)!;
    const other = { ...place, file: `${file}.other` };
    const weights = new WeightSet("text_encoder_2", new Map(tensors).set(SHARED, other));
    const { promptEmbeds } = build(config, weights.scope());
    expect(initializers(promptEmbeds!)).toContain(OWN);
    expect(initializers(promptEmbeds!)).not.toContain(SHARED);
  });

  it("and all else may have the prefix of a larger network", async () => {
    const { config, tensors } = await readComponent("odd", "text_encoder_2");
    const prefixed = [...tensors].map(([key, tensor]) => [`transformer.${key}`, tensor] as const);
    const weights = new WeightSet("text_encoder_2", new Map(prefixed));
    build(config, weights.scope());
    expect(weights.unusedKeys()).toEqual([]);
  });
});
