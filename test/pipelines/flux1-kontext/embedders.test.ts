/** Text and reference, embedded once an edit, have the bits that they have in the whole network. */
import { expect, it } from "vitest";
import { readFluxConfig } from "../../../src/models/transformers/flux-config.ts";
import { modulationSize } from "../../../src/models/transformers/flux-modulation.ts";
import { fluxEmbedders, fluxTransformer } from "../../../src/models/transformers/flux.ts";
import type { Tensor } from "../../../src/runtime/session.ts";
import { Config } from "../../../src/weights/config.ts";
import { madeUp, madeUpWeights } from "../../support/made-up.ts";
import { evaluateAll } from "../../support/onnx.ts";

const [TEXT, TARGET, REFERENCE] = [20, 30, 17];

it("gives the velocity that the whole network has, bit by bit", async () => {
  const config = readFluxConfig(
    new Config("transformer/config.json", {
      in_channels: 64,
      num_layers: 1,
      num_single_layers: 1,
      num_attention_heads: 4,
      attention_head_dim: 32,
      joint_attention_dim: 96,
      pooled_projection_dim: 16,
      axes_dims_rope: [8, 12, 12],
    }),
  );
  const image = ({ data, shape }: Pick<Tensor, "data" | "shape">): Tensor => ({ data, shape: [1, ...shape] });
  const promptEmbeds = madeUp("prompt", TEXT, config.promptSize);
  const referenceLatents = madeUp("reference", REFERENCE, config.inChannels);
  const tokens = TEXT + TARGET + REFERENCE;
  const others = {
    latents: image(madeUp("latents", TARGET, config.inChannels)),
    modulation: image(madeUp("modulation", 1, modulationSize(config))),
    rotaryCos: image(madeUp("cos", tokens, config.headSize / 2)),
    rotarySin: image(madeUp("sin", tokens, config.headSize / 2)),
  };
  const options = { textLength: "text" };
  const whole = await evaluateAll(fluxTransformer(config, madeUpWeights(), options), {
    ...others,
    promptEmbeds: image(promptEmbeds),
    referenceLatents: image(referenceLatents),
  });
  const embedded = await evaluateAll(fluxEmbedders(config, madeUpWeights(), options), {
    promptEmbeds: image(promptEmbeds),
    referenceLatents: image(referenceLatents),
  });
  const given = Object.entries(embedded).map(([name, { data, shape }]) => [
    name,
    { data: Float32Array.from(data), shape },
  ]);
  const split = await evaluateAll(
    fluxTransformer(config, madeUpWeights(), { ...options, areEmbedded: true }),
    {
      ...others,
      ...Object.fromEntries(given),
    },
  );
  expect(split).toEqual(whole);
});
