import { describe, expect, it } from "vitest";
import {
  attendToAll,
  doubleStreamBlock,
  rotaryInputs,
} from "../../../src/models/transformers/flux2-blocks.ts";
import { embedTokens, flux2Transformer } from "../../../src/models/transformers/flux2.ts";
import { type Flux2Config, readFlux2Config } from "../../../src/models/transformers/flux2-config.ts";
import {
  flux2Modulation,
  flux2ModulationInput,
  flux2ModulationSize,
} from "../../../src/models/transformers/flux2-modulation.ts";
import {
  flux2CachedTransformer,
  flux2References,
  REFERENCE_SIGMA,
  referenceNames,
} from "../../../src/models/transformers/flux2-references.ts";
import { rotaryTable } from "../../../src/models/transformers/rotary.ts";
import { input, type Value } from "../../../src/onnx/graph.ts";
import type { Tensor } from "../../../src/runtime/session.ts";
import { Config } from "../../../src/weights/config.ts";
import { difference } from "../../support/compare.ts";
import { type FixtureTensor, readJson, readTensors } from "../../support/fixtures.ts";
import { madeUp, madeUpWeights } from "../../support/made-up.ts";
import { type Evaluated, evaluate, evaluateAll } from "../../support/onnx.ts";

interface Case {
  config: Record<string, unknown>;
  sigmas: [number, number];
  guidance: number | null;
}

const cases = readJson<Record<string, Case>>("flux2-transformer.json");

/** Differences in float32 are some 1e-6. */
const TOLERANCE = 1e-4;

class Run {
  readonly config: Flux2Config;
  readonly fixture: ReadonlyMap<string, FixtureTensor>;
  readonly #case: Case;

  constructor(given: Case, fixture: ReadonlyMap<string, FixtureTensor>) {
    this.config = readFlux2Config(new Config("transformer/config.json", given.config));
    this.fixture = fixture;
    this.#case = given;
  }

  static async of(name: string): Promise<Run> {
    return new Run(cases[name]!, await readTensors(`flux2-transformer/${name}.safetensors`));
  }

  expectClose(stage: string, actual: ArrayLike<number>): void {
    const { relative } = difference(actual, this.fixture.get(stage)!.data as Float32Array);
    expect(relative, stage).toBeLessThan(TOLERANCE);
  }

  /** Rows of the modulation, one for each noise level. */
  async modulation(sigmas: readonly number[] = this.#case.sigmas): Promise<Tensor[]> {
    const { guidance } = this.#case;
    const network = flux2Modulation(this.config, madeUpWeights(), { isGuided: guidance !== null });
    const { data } = await evaluate(network.modulation, {
      sigmas: { data: Float32Array.from(sigmas), shape: [sigmas.length] },
      ...(guidance !== null && { guidance: { data: Float32Array.of(guidance), shape: [1] } }),
    });
    const size = flux2ModulationSize(this.config);
    return sigmas.map((_, step) => ({
      data: Float32Array.from(data.slice(step * size, (step + 1) * size)),
      shape: [size],
    }));
  }

  /** The angles of the tokens at these positions. */
  rotary(...names: string[]): { rotaryCos: Tensor; rotarySin: Tensor } {
    const ids = Float32Array.from(names.flatMap((name) => Array.from(this.#ids(name) as Float32Array)));
    const { cos, sin } = rotaryTable(ids, { axes: this.config.rotaryAxes, theta: this.config.rotaryTheta });
    const shape = [1, ids.length / 4, this.config.headSize / 2];
    return { rotaryCos: { data: cos, shape }, rotarySin: { data: sin, shape } };
  }

  get latents(): Tensor {
    return madeUp("latents", this.#ids("targetIds").length / 4, this.config.inChannels);
  }

  get referenceLatents(): Tensor {
    return madeUp("references", this.#ids("referenceIds").length / 4, this.config.inChannels);
  }

  get promptEmbeds(): Tensor {
    return madeUp("prompt", this.textLength, this.config.promptSize);
  }

  get textLength(): number {
    return this.#ids("textIds").length / 4;
  }

  #ids(name: string): FixtureTensor["data"] {
    return this.fixture.get(name)!.data;
  }
}

describe.each(Object.keys(cases))("the transformer of FLUX.2, %s", (name) => {
  it("computes the same modulation as the reference", async () => {
    const run = await Run.of(name);
    const rows = await run.modulation();
    run.expectClose(
      "modulation",
      rows.flatMap(({ data }) => Array.from(data as Float32Array)),
    );
  });

  it("predicts the same velocity as the reference", async () => {
    const run = await Run.of(name);
    const { config, textLength, latents, referenceLatents, promptEmbeds } = run;
    const { velocity } = flux2Transformer(config, madeUpWeights(), { textLength });
    const { data } = await evaluate(velocity, {
      latents,
      referenceLatents,
      promptEmbeds,
      modulation: (await run.modulation())[0]!,
      ...run.rotary("textIds", "targetIds", "referenceIds"),
    });
    run.expectClose("velocity", data);
  });
});

const withReferences = ["odd-heads", "no-single-block", "no-double-block", "guidance", "nine"];

describe.each(withReferences)("the references of FLUX.2, %s", (name) => {
  it("have the same keys and values as in the reference", async () => {
    const run = await Run.of(name);
    const kept = await keptReferences(run);
    for (const [index, { key, value }] of referenceNames(run.config).entries()) {
      run.expectClose(`cached.keys.${index}`, kept[key]!.data);
      run.expectClose(`cached.values.${index}`, kept[value]!.data);
    }
  });

  it("lead every step to the same velocity as in the reference", async () => {
    const run = await Run.of(name);
    const { config, textLength, latents, promptEmbeds } = run;
    const { velocity } = flux2CachedTransformer(config, madeUpWeights(), { textLength });
    const kept = Object.entries(await keptReferences(run)).map(
      ([key, { data, shape }]) => [key, { data: Float32Array.from(data), shape }] as const,
    );
    const velocities: number[] = [];
    for (const modulation of await run.modulation()) {
      const feeds = { latents, promptEmbeds, modulation, ...run.rotary("textIds", "targetIds") };
      const { data } = await evaluate(velocity, { ...feeds, ...Object.fromEntries(kept) });
      velocities.push(...data);
    }
    run.expectClose("cached.velocities", velocities);
  });
});

async function keptReferences(run: Run): Promise<Record<string, Evaluated>> {
  const [modulation] = await run.modulation([REFERENCE_SIGMA]);
  return evaluateAll(flux2References(run.config, madeUpWeights()), {
    referenceLatents: run.referenceLatents,
    modulation: modulation!,
    ...run.rotary("referenceIds"),
  });
}

const withDoubleBlocks = Object.keys(cases).filter((name) => cases[name]!.config.num_layers !== 0);

it.each(withDoubleBlocks)(
  "computes the same first double-stream block of FLUX.2 as the reference, %s",
  async (name) => {
    const run = await Run.of(name);
    const { config, textLength } = run;
    const { text, image } = firstBlock(config, textLength);
    const feeds = {
      images: rowsOf(run.latents, run.referenceLatents),
      promptEmbeds: run.promptEmbeds,
      modulation: (await run.modulation())[0]!,
      ...run.rotary("textIds", "targetIds", "referenceIds"),
    };
    run.expectClose("text", (await evaluate(text, feeds)).data);
    run.expectClose("image", (await evaluate(image, feeds)).data);
  },
);

function firstBlock(config: Flux2Config, textLength: number): { text: Value; image: Value } {
  const weights = madeUpWeights();
  const embed = (name: string, x: Value): Value => embedTokens(config, weights, name, x, "float32");
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
