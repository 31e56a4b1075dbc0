import { describe, expect, it } from "vitest";
import {
  attendToAll,
  doubleStreamBlock,
  rotaryInputs,
} from "../../../src/models/transformers/flux2-blocks.ts";
import { embedTokens } from "../../../src/models/transformers/flux2.ts";
import type { Flux2Config } from "../../../src/models/transformers/flux2-config.ts";
import { flux2ModulationInput } from "../../../src/models/transformers/flux2-modulation.ts";
import { referenceNames } from "../../../src/models/transformers/flux2-references.ts";
import { input, type Value } from "../../../src/onnx/graph.ts";
import type { Tensor } from "../../../src/runtime/session.ts";
import { Flux2Case, flux2Cases } from "../../support/flux2.ts";
import { madeUpWeights } from "../../support/made-up.ts";
import { evaluate } from "../../support/onnx.ts";

const names = Object.keys(flux2Cases);

describe.each(names)("the transformer of FLUX.2, %s", (name) => {
  it("computes the same modulation as the reference", async () => {
    const edit = await Flux2Case.read(name);
    const rows = await edit.modulation();
    edit.expectClose(
      "modulation",
      rows.flatMap(({ data }) => Array.from(data as Float32Array)),
    );
  });

  it("predicts the same velocity as the reference", async () => {
    const edit = await Flux2Case.read(name);
    edit.expectClose("velocity", await edit.velocity());
  });

  it("predicts almost the same in float16", async () => {
    const edit = await Flux2Case.read(name);
    const difference = edit.differenceOf("velocity", await edit.velocity({ computeType: "float16" }));
    expect(difference).toBeLessThan(4e-3);
    // Or it was computed in float32 after all.
    expect(difference).toBeGreaterThan(1e-5);
  });
});

it.each(names.filter((name) => flux2Cases[name]!.config.num_layers !== 0))(
  "computes the same first double-stream block of FLUX.2 as the reference, %s",
  async (name) => {
    const edit = await Flux2Case.read(name);
    const { text, image } = firstBlock(edit.config, edit.textLength);
    const feeds = {
      images: rowsOf(edit.latents, edit.referenceLatents),
      promptEmbeds: edit.promptEmbeds,
      modulation: (await edit.modulation())[0]!,
      ...edit.rotary("textIds", "targetIds", "referenceIds"),
    };
    edit.expectClose("text", (await evaluate(text, feeds)).data);
    edit.expectClose("image", (await evaluate(image, feeds)).data);
  },
);

describe.each(["odd-heads", "no-single-block", "no-double-block", "guidance", "nine"])(
  "the references of FLUX.2, %s",
  (name) => {
    it("have the same keys and values as in the reference", async () => {
      const edit = await Flux2Case.read(name);
      const kept = await edit.keptReferences();
      for (const [index, { key, value }] of referenceNames(edit.config).entries()) {
        edit.expectClose(`cached.keys.${index}`, kept[key]!.data);
        edit.expectClose(`cached.values.${index}`, kept[value]!.data);
      }
    });

    it("lead every step to the same velocity as in the reference", async () => {
      const edit = await Flux2Case.read(name);
      edit.expectClose("cached.velocities", await edit.cachedVelocities(await edit.keptReferences()));
    });

    it("lead to almost the same in float16", async () => {
      const edit = await Flux2Case.read(name);
      const options = { computeType: "float16" } as const;
      const velocities = await edit.cachedVelocities(await edit.keptReferences(options), options);
      const difference = edit.differenceOf("cached.velocities", velocities);
      expect(difference).toBeLessThan(4e-3);
      expect(difference).toBeGreaterThan(1e-5);
    });
  },
);

it("without references, the network that reads them kept is the one that reads none", async () => {
  const edit = await Flux2Case.read("one-double-block");
  const width = edit.config.numHeads * edit.config.headSize;
  const none = { data: [], shape: [0, width] };
  const kept = referenceNames(edit.config).flatMap(({ key, value }) =>
    [key, value].map((name) => [name, none]),
  );
  const velocities = await edit.cachedVelocities(Object.fromEntries(kept));
  edit.expectClose("velocity", velocities.slice(0, velocities.length / 2));
});

function firstBlock(config: Flux2Config, textLength: number): { text: Value; image: Value } {
  const weights = madeUpWeights();
  const embed = (name: string, x: Value): Value => embedTokens(config, weights, name, x);
  const attend = attendToAll(config, rotaryInputs(config, "tokens"));
  const streams = {
    text: embed("context_embedder", input("promptEmbeds", "float32", [textLength, config.promptSize])),
    image: embed("x_embedder", input("images", "float32", ["images", config.inChannels])),
  };
  const { doubleBlocks } = flux2ModulationInput(config);
  return doubleStreamBlock(config, weights.child("transformer_blocks", 0), streams, doubleBlocks, attend);
}

function rowsOf(...tensors: Tensor[]): Tensor {
  const data = Float32Array.from(tensors.flatMap(({ data: part }) => Array.from(part as Float32Array)));
  const rows = tensors.reduce((sum, { shape }) => sum + shape[0]!, 0);
  return { data, shape: [rows, tensors[0]!.shape[1]!] };
}
