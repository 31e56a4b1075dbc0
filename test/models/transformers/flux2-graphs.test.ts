/** What holds for the graphs of FLUX.2 whatever they compute: GPU limits, types, and adapters on every layer. */
import { describe, expect, it } from "vitest";
import { type Outputs, unloadedNetwork } from "../../../src/models/count.ts";
import { flux2Transformer } from "../../../src/models/transformers/flux2.ts";
import { type Flux2Config, readFlux2Config } from "../../../src/models/transformers/flux2-config.ts";
import { flux2Modulation } from "../../../src/models/transformers/flux2-modulation.ts";
import {
  flux2CachedTransformer,
  flux2References,
} from "../../../src/models/transformers/flux2-references.ts";
import type { ComputeType } from "../../../src/onnx/dtype.ts";
import { operatorsOf } from "../../../src/onnx/graph.ts";
import { Config } from "../../../src/weights/config.ts";
import type { WeightScope } from "../../../src/weights/weight-set.ts";
import { readJson } from "../../support/fixtures.ts";

const published = readJson<Record<string, { config: Record<string, unknown> }>>("flux2-published.json");
const configOf = (name: string): Flux2Config =>
  readFlux2Config(new Config("transformer/config.json", published[name]!.config));

type BuildForm = (config: Flux2Config, weights: WeightScope, computeType?: ComputeType) => Outputs;

const FORMS: Readonly<Record<string, BuildForm>> = {
  modulation: (config, weights) => flux2Modulation(config, weights, { isGuided: true }),
  transformer: (config, weights, computeType) =>
    flux2Transformer(config, weights, { textLength: 512, computeType }),
  references: (config, weights, computeType) => flux2References(config, weights, { computeType }),
  "cached transformer": (config, weights, computeType) =>
    flux2CachedTransformer(config, weights, { textLength: 512, computeType }),
};

/** GPUs limit how many buffers a kernel binds. */
const MAX_SPLIT_OUTPUTS = 8;

describe.each(Object.keys(published))("the published %s", (name) => {
  it.each(Object.keys(FORMS))("has no Split with more than eight outputs, as %s", (form) => {
    const network = unloadedNetwork((weights) => FORMS[form]!(configOf(name), weights));
    const splits = operatorsOf(network).filter(({ opType }) => opType === "Split");
    const outputs = Math.max(0, ...splits.map(({ outputs: parts }) => parts.length));
    expect(outputs).toBeLessThanOrEqual(MAX_SPLIT_OUTPUTS);
    expect(outputs > 0).toBe(form !== "modulation");
  });
});
