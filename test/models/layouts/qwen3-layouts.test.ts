/** Qwen3 in the files that users have: every tensor of the published ones has its place, and the numbers are theirs. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import { countOperations, requestedWeights, unloadedNetwork } from "../../../src/models/count.ts";
import { wantedOf } from "../../../src/models/layouts/file-networks.ts";
import { llamaQwen3Layout } from "../../../src/models/layouts/qwen3-layouts.ts";
import { readQwen3Config } from "../../../src/models/text-encoders/qwen3-config.ts";
import { qwen3Encoder, qwen3Inputs } from "../../../src/models/text-encoders/qwen3.ts";
import { preparedWeights } from "../../../src/quantize/prepare.ts";
import { loadSession } from "../../../src/runtime/load.ts";
import { Config } from "../../../src/weights/config.ts";
import { GgufFile } from "../../../src/weights/gguf-file.ts";
import { SingleFile } from "../../../src/weights/single-file.ts";
import { difference } from "../../support/compare.ts";
import { fixtures, readJson, readTensors } from "../../support/fixtures.ts";
import { temporaryFolder } from "../../support/temporary.ts";

type Shapes = Record<string, number[]>;

const PROMPT_LAYERS = [9, 18, 27];
const published =
  readJson<Record<string, { config: object; numTensors: number; folder: Shapes; gguf: Shapes }>>(
    "qwen3/published.json",
  );

/** Tensors of all layers: the fixture has those of one, with a star for its number. */
const ofAllLayers = (shapes: Shapes, count: number): Shapes =>
  Object.fromEntries(
    Object.entries(shapes).flatMap(([key, shape]) =>
      key.includes("*")
        ? Array.from({ length: count }, (_, index) => [key.replace("*", String(index)), shape])
        : [[key, shape]],
    ),
  ) as Shapes;

/** Keys and shapes; a key that stands twice is an error. */
function shapesOf(entries: readonly { key: string; shape: readonly number[] }[]): Shapes {
  expect(new Set(entries.map(({ key }) => key)).size).toBe(entries.length);
  return Object.fromEntries(entries.map(({ key, shape }) => [key, [...shape]]));
}

describe.each(Object.entries(published))(
  "the published %s",
  (_, { config: fields, numTensors, folder, gguf }) => {
    const config = readQwen3Config(new Config("text_encoder/config.json", { ...fields }), {
      layers: PROMPT_LAYERS,
    });
    const build = (weights: Parameters<typeof qwen3Encoder>[1]) =>
      qwen3Encoder(config, weights, { length: "text", layers: PROMPT_LAYERS });
    const inFolder = ofAllLayers(folder, config.numLayers);
    const inGguf = ofAllLayers(gguf, config.numLayers);

    it("has every tensor of a GGUF file in the layout, in its shape, and no other", () => {
      const layout = llamaQwen3Layout(config, { has: (key) => key in inGguf });
      expect(layout).toHaveLength(numTensors);
      expect(shapesOf(layout)).toEqual(inGguf);
      expect(shapesOf(layout.flatMap(({ parts }) => parts))).toEqual(inFolder);
    });

    it("is asked for the token table and 27 of its layers, in their shapes", () => {
      const wanted = [...requestedWeights(build)].map(([key, { shape }]) => ({ key: `model.${key}`, shape }));
      const isRead = (key: string): boolean =>
        key === "model.embed_tokens.weight" || Number(/^model\.layers\.(\d+)/.exec(key)?.[1]) < 27;
      const read = Object.entries(inFolder).filter(([key]) => isRead(key));
      expect(shapesOf(wanted)).toEqual(Object.fromEntries(read));
    });
  },
);

it.each([
  // 27 layers: projections of the text and of the keys, the feed-forward layer, and attention.
  ["Qwen3-4B", 512, 2_906_350_682_112],
  ["Qwen3-4B", 40, 2_665_815_736_320],
  ["Qwen3-8B", 512, 5_450_313_498_624],
])("%s takes its operations for a text of 512 tokens, %i of them no padding", (name, keys, expected) => {
  const config = readQwen3Config(new Config("config.json", { ...published[name]!.config }));
  const outputs = unloadedNetwork((weights) =>
    qwen3Encoder(config, weights, { length: "text", layers: PROMPT_LAYERS }),
  );
  const { linear, attention } = countOperations(outputs, { text: 512, keys });
  expect(linear + attention).toBe(expected);
});

describe("a file of an encoder", () => {
  const fileOf = (name: string): string => path.join(fixtures, "qwen3", name);
  const layers = [1, 2, 3];
  const wanted = wantedOf("qwen3");
  const open = {
    async fp8() {
      const file = await SingleFile.open(fileOf("fp8.safetensors"), wanted);
      expect(file.layout()).toBe("transformers' Qwen3");
      return file.arrange("text_encoder", file.ownLayout());
    },
    async llama(config: Parameters<typeof llamaQwen3Layout>[0]) {
      const file = await GgufFile.open(fileOf("llama.gguf"), wanted);
      expect(file.layout()).toBe("llama.cpp's Qwen3");
      return file.arrange(llamaQwen3Layout(config, file));
    },
  };

  it.each(["fp8", "llama"] as const)("as %s gives what its numbers give in the reference", async (kind) => {
    const config = readQwen3Config(await Config.read(fileOf("grouped/config.json")), { layers });
    const stored = await open[kind](config);
    const weights = await preparedWeights("qwen3", stored, "fp32", { folder: await temporaryFolder() });
    const outputs = qwen3Encoder(config, weights.scope(), { length: 12, layers });
    const session = await loadSession(outputs, weights, { threads: 1 });
    const ids = [3, 1, 4, 1, 5, 9, 2, 6];
    const { promptEmbeds } = await session.run(qwen3Inputs(config, [...ids, 0, 0, 0, 0], ids.length));
    await session.dispose();
    const expected = (await readTensors("qwen3/files.safetensors")).get(kind)!;
    expect(
      difference(promptEmbeds!.data as Float32Array, expected.data as Float32Array).relative,
    ).toBeLessThan(2e-6);
  });
});
