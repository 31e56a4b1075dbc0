/** A network of a checkpoint: as data, and as something that is loaded on demand, released, and loaded again. */
import type { AdapterInputs } from "../models/adapters.ts";
import type { Outputs } from "../models/count.ts";
import type { ComputeType } from "../onnx/dtype.ts";
import { type Sizes, turnsOf } from "../onnx/kernel-forms.ts";
import { graphOf } from "../onnx/placeless.ts";
import type { DrawnNumbers } from "../runtime/drawn-numbers.ts";
import { formsIn, loadSession } from "../runtime/load.ts";
import type { RuntimeOptions, Session, Tensor } from "../runtime/session.ts";
import { WEIGHT_KINDS } from "../weights/converted.ts";
import type { WeightScope, WeightSet } from "../weights/weight-set.ts";
import type { EditExtent } from "./extent.ts";

/** How weights are held in memory, most exact first. */
export const WEIGHTS_KINDS = ["fp32", ...WEIGHT_KINDS] as const;
/** A type of the weights in memory. */
export type WeightsKind = (typeof WEIGHTS_KINDS)[number];

export interface BuildOptions {
  /** The type the largest network computes in, if it has a choice. @default "float32" */
  computeType?: ComputeType | undefined;
  /** Whether a run takes several images, if the network can; otherwise it takes one. @default false */
  hasSeveral?: boolean | undefined;
}

/** A network as data: everything the engine knows about it. */
export interface ComponentDefinition {
  readonly name: string;
  /** Name of the stored weights that it is built from; several components may share them. */
  readonly weights: string;
  /** The checkpoint folder that holds these weights and their configuration. */
  readonly folder: string;
  /** Builds the graph. */
  build(weights: WeightScope, options?: BuildOptions): Outputs;
  /** Whether LoRAs may adapt its linear layers. */
  readonly isAdaptable?: boolean;
  /** What LoRAs call the layer with a key of the weights. @default the key itself */
  readonly loraName?: (key: string) => string;
  /** Whether it can process an image in overlapping tiles. */
  readonly isTiled?: boolean;
  /** Whether it can be built to take several images a run. @default false */
  readonly takesBatches?: boolean;
  /** Whether only other networks read its outputs, which then need not leave the device. */
  readonly areOutputsHeld?: boolean;
  /** Its inputs that are new in each run of an edit; the others may stay on a device from the first run on. @default all */
  readonly changingInputs?: readonly string[];
  /** The fewest bits its matrices may have; `fp32` leaves the weights as they are stored. */
  readonly leastPrecision: WeightsKind;
  /** Whether products with the matrix of this key may be rounded where that is faster. @default none may */
  readonly isRoundable?: (key: string) => boolean;
  /**
   * Bytes it takes while it runs, in addition to its weights.
   * @param tileSide side of its tiles in pixels, if it works in tiles
   */
  workingBytes(edit: EditExtent, tileSide?: number): number;
  /** Its runs per edit. @param tileSide side of its tiles in pixels, if it works in tiles */
  runs(edit: EditExtent, tileSide?: number): readonly ComponentRuns[];
  /** What a device has to compute as the CPU does before it is used. @default nothing */
  readonly trial?: NetworkTrial;
}

/** Runs of a component that are alike. */
export interface ComponentRuns {
  times: number;
  /** Sizes for the graph's named dimensions. */
  dims: Readonly<Record<string, number>>;
}

/** A part of a network that takes little time, and what it is fed. */
export interface NetworkTrial {
  /** What a sentence calls it, such as "the first blocks of the transformer". */
  readonly part: string;
  /** Builds it with the same weights. @default the whole network */
  build?(weights: WeightScope, options?: BuildOptions): Outputs;
  /** Sizes of the graph's named dimensions. */
  readonly dims: Readonly<Record<string, number>>;
  /** The inputs that cannot be any numbers; all others are drawn. */
  inputs?(numbers: DrawnNumbers): Readonly<Record<string, Tensor>>;
  /** Whether its time decides between devices: nearly all of an edit is spent in this network. @default false */
  readonly isTimed?: boolean;
}

/** The kind a component is loaded in when its weights should be `kind`. */
export function precisionOf({ leastPrecision }: ComponentDefinition, kind: WeightsKind): WeightsKind {
  const isTooCoarse = WEIGHTS_KINDS.indexOf(kind) > WEIGHTS_KINDS.indexOf(leastPrecision);
  return isTooCoarse ? leastPrecision : kind;
}

export interface ComponentSource {
  /** Outputs of its graph, which is built once: whether the weights fit it is known before anything is loaded. */
  outputs: Outputs;
  /** The same in float32 throughout, where `outputs` rounds what it multiplies. */
  exactOutputs?: Outputs | undefined;
  weights: WeightSet;
  runtime: RuntimeOptions;
  /** The same graphs for several images a run, of a network that takes them. */
  several?: Pick<ComponentSource, "outputs" | "exactOutputs"> | undefined;
  /** Set if the graph was built to take adapters. */
  adapterInputs?: AdapterInputs | undefined;
  /** As in {@link ComponentDefinition}. */
  areOutputsHeld?: boolean | undefined;
}

export class Component {
  readonly name: string;
  readonly adapterInputs: AdapterInputs | undefined;
  readonly #source: ComponentSource;
  #session: Session | undefined;
  /** That of the graph for several images: the one for a single image loses no time to what only several need. */
  #several: Session | undefined;
  #isSeveralExact = false;
  /** The largest that it has been asked to run with. */
  #sizes: Sizes = {};
  /** In how many turns attention takes its queries for these, and in how many where it is loaded. */
  #turns = 0;
  #loadedTurns = 0;
  /** Whether it is to round nothing that it can do without, and whether it is loaded so. */
  #isExact = false;
  #isLoadedExact = false;

  constructor(name: string, source: ComponentSource) {
    this.name = name;
    this.adapterInputs = source.adapterInputs;
    this.#source = source;
  }

  get isLoaded(): boolean {
    return this.#session !== undefined || this.#several !== undefined;
  }

  /** Says which sizes the graph's named dimensions will have in the next runs. */
  fit(sizes: Sizes): void {
    const { outputs, runtime } = this.#source;
    const larger = Object.entries(sizes).filter(([name, size]) => size > (this.#sizes[name] ?? 0));
    if (larger.length === 0) return;
    this.#sizes = { ...this.#sizes, ...Object.fromEntries(larger) };
    this.#turns = turnsOf(outputs, formsIn(runtime), this.#sizes);
  }

  /** Says whether the next runs compute in float32 throughout. */
  compute({ isExact }: { isExact: boolean }): void {
    this.#isExact = isExact && this.#source.exactOutputs !== undefined;
  }

  /** The bytes of the graph that the next runs compute, before it is written for a device's kernels. */
  graph(): Uint8Array {
    const { outputs, exactOutputs } = this.#source;
    return graphOf(this.name, this.#isExact ? exactOutputs! : outputs);
  }

  /**
   * Loads it; again, if it is loaded and has to take attention in more turns than it does, or to compute otherwise.
   * @throws RetouchError RUNTIME_FAILED
   */
  async load(): Promise<Session> {
    const { outputs, exactOutputs, weights, runtime, areOutputsHeld } = this.#source;
    if (this.#turns > this.#loadedTurns || this.#isExact !== this.#isLoadedExact) await this.release();
    const network = this.#isExact ? exactOutputs! : outputs;
    this.#session ??= await loadSession(network, weights, { ...runtime, areOutputsHeld }, this.#sizes);
    this.#loadedTurns = this.#turns;
    this.#isLoadedExact = this.#isExact;
    return this.#session;
  }

  /** The same for runs with several images, of a network that takes them. @throws RetouchError RUNTIME_FAILED */
  async loadSeveral(): Promise<Session> {
    const { several, weights, runtime } = this.#source;
    if (this.#isExact !== this.#isSeveralExact) await this.releaseSeveral();
    const network = this.#isExact ? several!.exactOutputs! : several!.outputs;
    this.#several ??= await loadSession(network, weights, runtime, this.#sizes);
    this.#isSeveralExact = this.#isExact;
    return this.#several;
  }

  /** Frees the memory of the graph for several images. */
  async releaseSeveral(): Promise<void> {
    const session = this.#several;
    this.#several = undefined;
    await session?.dispose();
  }

  /** Frees its memory. */
  async release(): Promise<void> {
    await this.releaseSeveral();
    const session = this.#session;
    this.#session = undefined;
    await session?.dispose();
  }
}
