/** A network of a checkpoint: as data, and as something that is loaded when it is needed, released, and loaded again. */
import type { AdapterInputs } from "../models/adapters.ts";
import type { Outputs } from "../models/count.ts";
import type { ComputeType } from "../onnx/dtype.ts";
import { loadSession } from "../runtime/load.ts";
import type { RuntimeOptions, Session } from "../runtime/session.ts";
import { WEIGHT_KINDS } from "../weights/converted.ts";
import type { WeightScope, WeightSet } from "../weights/weight-set.ts";
import type { EditExtent } from "./extent.ts";

/** What weights are in memory, most exact first. */
export const WEIGHTS_KINDS = ["fp32", ...WEIGHT_KINDS] as const;
export type WeightsKind = (typeof WEIGHTS_KINDS)[number];

export interface BuildOptions {
  /** What the largest network computes in, where it can choose. @default "float32" */
  computeType?: ComputeType | undefined;
}

/** A network as data: all that the engine knows of it. */
export interface ComponentDefinition {
  readonly name: string;
  /** Of the stored weights that it is built from; several components may share them. */
  readonly weights: string;
  /** Folder of the checkpoint that these weights and their configuration lie in. */
  readonly folder: string;
  /** Writes the graph. */
  build(weights: WeightScope, options?: BuildOptions): Outputs;
  /** Whether LoRAs may change its linear layers. */
  readonly isAdaptable?: boolean;
  /** Whether it can work in overlapping tiles of an image. */
  readonly isTiled?: boolean;
  /** The fewest bits that its matrices may have: `fp32` where the weights stay as they are stored. */
  readonly leastPrecision: WeightsKind;
  /**
   * Bytes that it takes while it runs, on top of its weights.
   * @param tileSide of its tiles, in pixels, where it works in tiles
   */
  workingBytes(edit: EditExtent, tileSide?: number): number;
  /** How often it runs for an edit, and at which sizes of the graph's named dimensions. */
  runs(edit: EditExtent): { times: number; dims: Readonly<Record<string, number>> };
}

/** The kind that a component is loaded in, where its weights are to be `kind`. */
export function precisionOf({ leastPrecision }: ComponentDefinition, kind: WeightsKind): WeightsKind {
  const isTooCoarse = WEIGHTS_KINDS.indexOf(kind) > WEIGHTS_KINDS.indexOf(leastPrecision);
  return isTooCoarse ? leastPrecision : kind;
}

export interface ComponentSource {
  /** Of its graph, built once: whether the weights fit it is known before anything is loaded. */
  outputs: Outputs;
  weights: WeightSet;
  runtime: RuntimeOptions;
  /** Where the graph was written to take adapters. */
  adapterInputs?: AdapterInputs | undefined;
}

export class Component {
  readonly name: string;
  readonly adapterInputs: AdapterInputs | undefined;
  readonly #source: ComponentSource;
  #session: Session | undefined;

  constructor(name: string, source: ComponentSource) {
    this.name = name;
    this.adapterInputs = source.adapterInputs;
    this.#source = source;
  }

  get isLoaded(): boolean {
    return this.#session !== undefined;
  }

  /** @throws RetouchError RUNTIME_FAILED */
  async load(): Promise<Session> {
    const { outputs, weights, runtime } = this.#source;
    this.#session ??= await loadSession(outputs, weights, runtime);
    return this.#session;
  }

  /** Gives its memory back. */
  async release(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.dispose();
  }
}
