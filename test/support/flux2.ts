/** Runs the small transformers of FLUX.2 that `scripts/reference/flux2_transformer.py` ran, on the same numbers. */
import { expect } from "vitest";
import { type Flux2Config, readFlux2Config } from "../../src/models/transformers/flux2-config.ts";
import { flux2Modulation, flux2ModulationSize } from "../../src/models/transformers/flux2-modulation.ts";
import { flux2Transformer } from "../../src/models/transformers/flux2.ts";
import {
  flux2CachedTransformer,
  flux2References,
  REFERENCE_SIGMA,
} from "../../src/models/transformers/flux2-references.ts";
import { rotaryTable } from "../../src/models/transformers/rotary.ts";
import type { ComputeType } from "../../src/onnx/dtype.ts";
import type { Tensor } from "../../src/runtime/session.ts";
import { Config } from "../../src/weights/config.ts";
import type { WeightScope } from "../../src/weights/weight-set.ts";
import { difference } from "./compare.ts";
import { type FixtureTensor, readJson, readTensors } from "./fixtures.ts";
import { madeUp, madeUpWeights } from "./made-up.ts";
import { type Evaluated, evaluate, evaluateAll } from "./onnx.ts";

interface Case {
  config: Record<string, unknown>;
  sigmas: [number, number];
  guidance: number | null;
}

export const flux2Cases = readJson<Record<string, Case>>("flux2-transformer.json");

/** Differences in float32 are some 1e-6. */
const TOLERANCE = 1e-4;

export interface RunOptions {
  /** @default the reference's */
  weights?: WeightScope;
  computeType?: ComputeType;
  /** Fed beside the network's own inputs. */
  feeds?: Readonly<Record<string, Tensor>>;
}

export class Flux2Case {
  readonly config: Flux2Config;
  readonly #fixture: ReadonlyMap<string, FixtureTensor>;
  readonly #case: Case;

  private constructor(given: Case, fixture: ReadonlyMap<string, FixtureTensor>) {
    this.config = readFlux2Config(new Config("transformer/config.json", given.config));
    this.#fixture = fixture;
    this.#case = given;
  }

  static async read(name: string): Promise<Flux2Case> {
    return new Flux2Case(flux2Cases[name]!, await readTensors(`flux2-transformer/${name}.safetensors`));
  }

  /** How far a stage is from the reference's, relative to it. */
  differenceOf(stage: string, actual: ArrayLike<number>): number {
    return difference(actual, this.floats(stage)).relative;
  }

  expectClose(stage: string, actual: ArrayLike<number>): void {
    expect(this.differenceOf(stage, actual), stage).toBeLessThan(TOLERANCE);
  }

  floats(stage: string): Float32Array {
    return this.#fixture.get(stage)!.data as Float32Array;
  }

  /** Rows of the modulation, one for each noise level. */
  async modulation(
    sigmas: readonly number[] = this.#case.sigmas,
    { weights = madeUpWeights(), feeds = {} }: RunOptions = {},
  ): Promise<Tensor[]> {
    const { guidance } = this.#case;
    const network = flux2Modulation(this.config, weights, { isGuided: guidance !== null });
    const { data } = await evaluate(network.modulation, {
      sigmas: { data: Float32Array.from(sigmas), shape: [sigmas.length] },
      ...(guidance !== null && { guidance: { data: Float32Array.of(guidance), shape: [1] } }),
      ...feeds,
    });
    const size = flux2ModulationSize(this.config);
    return sigmas.map((_, step) => ({
      data: Float32Array.from(data.slice(step * size, (step + 1) * size)),
      shape: [size],
    }));
  }

  /** The first step's velocity. */
  async velocity({ weights = madeUpWeights(), computeType, feeds }: RunOptions = {}): Promise<number[]> {
    const { config, textLength, latents, referenceLatents, promptEmbeds } = this;
    const [modulation] = await this.modulation();
    const { velocity } = flux2Transformer(config, weights, { textLength, computeType });
    const rotary = this.rotary("textIds", "targetIds", "referenceIds");
    const own = { latents, referenceLatents, promptEmbeds, modulation: modulation!, ...rotary };
    return (await evaluate(velocity, { ...own, ...feeds })).data;
  }

  /** The references' keys and values. */
  async keptReferences({ weights = madeUpWeights(), computeType, feeds }: RunOptions = {}): Promise<
    Record<string, Evaluated>
  > {
    const { referenceLatents } = this;
    const [modulation] = await this.modulation([REFERENCE_SIGMA]);
    const own = { referenceLatents, modulation: modulation!, ...this.rotary("referenceIds") };
    return evaluateAll(flux2References(this.config, weights, { computeType }), { ...own, ...feeds });
  }

  /** The velocities of both steps with kept keys and values, one after the other. */
  async cachedVelocities(
    kept: Readonly<Record<string, Evaluated>>,
    { weights = madeUpWeights(), computeType, feeds }: RunOptions = {},
  ): Promise<number[]> {
    const { config, textLength, latents, promptEmbeds } = this;
    const { velocity } = flux2CachedTransformer(config, weights, { textLength, computeType });
    const references = Object.entries(kept).map(
      ([name, { data, shape }]) => [name, { data: Float32Array.from(data), shape }] as const,
    );
    const own = { latents, promptEmbeds, ...this.rotary("textIds", "targetIds") };
    const velocities: number[] = [];
    for (const modulation of await this.modulation()) {
      const all = { ...own, modulation, ...Object.fromEntries(references), ...feeds };
      velocities.push(...(await evaluate(velocity, all)).data);
    }
    return velocities;
  }

  /** The angles of the tokens at these positions. */
  rotary(...names: string[]): { rotaryCos: Tensor; rotarySin: Tensor } {
    const ids = Float32Array.from(names.flatMap((name) => Array.from(this.floats(name))));
    const { cos, sin } = rotaryTable(ids, { axes: this.config.rotaryAxes, theta: this.config.rotaryTheta });
    const shape = [1, ids.length / 4, this.config.headSize / 2];
    return { rotaryCos: { data: cos, shape }, rotarySin: { data: sin, shape } };
  }

  get latents(): Tensor {
    return madeUp("latents", this.floats("targetIds").length / 4, this.config.inChannels);
  }

  get referenceLatents(): Tensor {
    return madeUp("references", this.floats("referenceIds").length / 4, this.config.inChannels);
  }

  get promptEmbeds(): Tensor {
    return madeUp("prompt", this.textLength, this.config.promptSize);
  }

  get textLength(): number {
    return this.floats("textIds").length / 4;
  }
}
