import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildModel } from "../../../src/onnx/graph.ts";
import { readQwen3Config } from "../../../src/models/text-encoders/qwen3-config.ts";
import { qwen3Encoder, qwen3Inputs } from "../../../src/models/text-encoders/qwen3.ts";
import { Session } from "../../../src/runtime/session.ts";
import { Config } from "../../../src/weights/config.ts";
import { readSafetensorsHeader } from "../../../src/weights/safetensors.ts";
import { WeightSet } from "../../../src/weights/weight-set.ts";
import { difference } from "../../support/compare.ts";
import { type FixtureTensor, fixtures, readTensors } from "../../support/fixtures.ts";

const folder = path.join(fixtures, "qwen3");
/** The hidden states that `scripts/reference/qwen3_stages.py` reads of each encoder. */
const ENCODERS: Readonly<Record<string, readonly number[]>> = {
  grouped: [1, 2, 3],
  odd: [0, 3, 2],
  tied: [1, 2],
  single: [1],
};

async function open(name: string) {
  const config = await Config.read(path.join(folder, name, "config.json"));
  const tensors = await readSafetensorsHeader(path.join(folder, name, "model.safetensors"));
  return { config, tensors };
}

describe.each(Object.entries(ENCODERS))("the encoder %s", (name, layers) => {
  let expected: Map<string, FixtureTensor>;
  beforeAll(async () => {
    expected = await readTensors("qwen3/expected.safetensors");
  });

  it.each([["a fixed length"], ["any length"]])(
    "gives what the reference reads of it, built for %s",
    async (kind) => {
      const { config, tensors } = await open(name);
      const read = readQwen3Config(config, { layers });
      const weights = new WeightSet(name, tensors);
      const length = kind === "any length" ? "text" : 12;
      const outputs = qwen3Encoder(read, weights.scope(), { length, layers });
      expect(weights.unusedKeys()).toEqual([]);
      const options = { name, weightsFolder: weights.baseFolder, threads: 1 };
      const session = await Session.load(buildModel(name, outputs), options);
      for (const numTokens of [1, 7, 12]) {
        const ids = Array.from(expected.get(`${name}.${numTokens}.ids`)!.data, Number);
        const { promptEmbeds } = await session.run(qwen3Inputs(read, ids, numTokens));
        const wanted = expected.get(`${name}.${numTokens}.promptEmbeds`)!;
        expect(promptEmbeds!.shape).toEqual(wanted.shape);
        expect(
          difference(promptEmbeds!.data as Float32Array, wanted.data as Float32Array).relative,
        ).toBeLessThan(2e-6);
      }
      await session.dispose();
    },
  );
});
