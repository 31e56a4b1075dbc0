/**
 * The networks of a checkpoint: checked against their weights when the checkpoint is opened, and loaded no later than
 * they are needed (`residency.ts`).
 */
import { userCacheFolder } from "../machine/cache-folder.ts";
import type { Adapters } from "../models/adapters.ts";
import type { ConversionProgress } from "../quantize/cache.ts";
import { preparedWeights } from "../quantize/prepare.ts";
import { DeviceMemory } from "../runtime/device-memory.ts";
import { formsIn } from "../runtime/load.ts";
import type { RuntimeOptions, Tensor } from "../runtime/session.ts";
import { unusedNotice } from "../weights/unused-keys.ts";
import type { WeightOptions, WeightSet } from "../weights/weight-set.ts";
import type { ChosenDevice, SettleDevice } from "./choose-device.ts";
import type { BatchChoice, Batches } from "./batches/batches.ts";
import type { Component } from "./component.ts";
import { batchesOf, componentOf } from "./component-graphs.ts";
import { exactly } from "./exact-weights.ts";
import type { EncodingCache } from "./encodings.ts";
import { type EditExtent, squareEdit, usualEdit } from "./extent.ts";
import { checkMemory } from "./memory-check.ts";
import { isResident, type MemoryPlan, type NetworkKinds, planMemory } from "./memory-plan.ts";
import type { ComponentRunner, Model } from "./model.ts";
import { type ChosenProducts, chooseProducts } from "./product-choice.ts";
import { Residency } from "./residency.ts";
import { NotTogether } from "./edit-group.ts";
import { chooseKinds, type WeightsChoice } from "./weights-choice.ts";

export interface ComponentOptions extends Pick<WeightOptions, "accuracyLevel"> {
  /** Memory the process may take. @default no limit */
  limitBytes?: number | undefined;
  /** Whether runs can be given adapters, which slows every step down slightly. @default false */
  isAdaptable?: boolean | undefined;
  /** Whether networks that all fit are loaded at once, not by their first runs. @default true */
  isLoadedAhead?: boolean | undefined;
  /** Bytes that the LoRAs of an edit may take, the most first: `auto` leaves room for them. @default none */
  loraRooms?: readonly number[] | undefined;
  /** The kind that large networks' weights are loaded in. @default "fp32" */
  weights?: WeightsChoice | undefined;
  /** Where converted weights are kept. */
  cacheFolder?: string | undefined;
  /** Chooses the device once the weights are there. @default the runtime's, untried */
  settleDevice?: SettleDevice | undefined;
  onConversion?: ((progress: ConversionProgress) => void) | undefined;
  /**
   * Tells this checkpoint from others, for what is measured of it: with `weights: "auto"`, products of the largest network
   * are then computed in what is measured to be fast and exact enough. @default float32 throughout
   */
  digest?: (() => Promise<string>) | undefined;
  /** How many images a run of the largest network takes, where it can take several. @default 1 */
  batch?: BatchChoice | undefined;
  /** Gets the room that edits leave. @default none is kept */
  encodings?: Pick<EncodingCache, "fit"> | undefined;
}

const NO_ADAPTERS: Adapters = new Map();

export class Components implements ComponentRunner {
  /** The kind that each large network's weights are loaded in. */
  readonly kinds: NetworkKinds;
  /** What the user should know about the weights, as sentences. */
  readonly notices: readonly string[];
  /** What `settleDevice` chose. */
  readonly device: ChosenDevice | undefined;
  /** What products of the largest network are computed in; absent where there was no choice. */
  readonly products: ChosenProducts | undefined;
  readonly batches: Batches;
  readonly #model: Model;
  readonly #components: ReadonlyMap<string, Component>;
  readonly #residency: Residency;
  readonly #limitBytes: number;
  readonly #isAdaptable: boolean;
  readonly #maxTensorBytes: number;
  readonly #encodings: Pick<EncodingCache, "fit"> | undefined;
  readonly #memory: DeviceMemory;
  /** What the running edit's adapters are to each network. */
  readonly #adapted = new Map<Component, { adapters: Adapters; inputs: Readonly<Record<string, Tensor>> }>();
  #plan: MemoryPlan;

  private constructor(
    model: Model,
    components: readonly Component[],
    options: {
      memory: DeviceMemory;
      kinds: NetworkKinds;
      limitBytes: number;
      isAdaptable: boolean;
      isLoadedAhead: boolean | undefined;
      notices: readonly string[];
      device: ChosenDevice | undefined;
      products: ChosenProducts | undefined;
      batches: Batches;
      maxTensorBytes: number;
      encodings: ComponentOptions["encodings"];
    },
  ) {
    this.notices = options.notices;
    this.device = options.device;
    this.products = options.products;
    this.batches = options.batches;
    this.#model = model;
    this.#components = new Map(components.map((component) => [component.name, component]));
    this.kinds = options.kinds;
    this.#limitBytes = options.limitBytes;
    this.#isAdaptable = options.isAdaptable;
    this.#maxTensorBytes = options.maxTensorBytes;
    this.#memory = options.memory;
    this.#encodings = options.encodings;
    const usual = usualEdit(model.native, model.usual);
    this.#plan = this.#planWith(planMemory, usual);
    this.#residency = new Residency(components, this.#plan, this.#limitBytes, options.isLoadedAhead);
  }

  /**
   * Converts weights if requested, checks every network against its weights, then loads the networks if all of them fit
   * at once.
   * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and key; INVALID_PARAMETER or
   * OUTPUT_UNWRITABLE for weights to be converted; as `settleDevice` does
   */
  static async load(
    model: Model,
    runtime: RuntimeOptions,
    options: ComponentOptions = {},
  ): Promise<Components> {
    const { limitBytes = Infinity, isAdaptable = false, weights = "fp32", loraRooms } = options;
    const kinds = chooseKinds(weights, model, { limitBytes, loraRooms });
    const stored = await prepareWeights(model, kinds, runtime, options);
    const device = await settle(model, stored, options);
    const settled: RuntimeOptions = { ...runtime, ...(device && runtimeOf(device)) };
    const prepared = weightsFor(settled, stored, options);
    const products = await chosenProducts(model, { kinds, prepared, runtime: settled }, options);
    const batches = batchesOf(model, settled, { ...options, kinds, products });
    const components = model.components.map((definition) =>
      componentOf(definition, prepared.get(definition.weights)!, settled, {
        isAdaptable,
        isBatched: batches.most > 1,
        products: definition.trial?.isTimed ? products : undefined,
      }),
    );
    const notices = [...prepared.values()].flatMap((weights) =>
      unusedNotice(weights.name, weights.unusedKeys()),
    );
    const memory = await DeviceMemory.open(settled);
    const loaded = new Components(model, components, {
      kinds,
      limitBytes,
      isAdaptable,
      isLoadedAhead: options.isLoadedAhead,
      notices,
      device,
      products,
      batches,
      memory,
      encodings: options.encodings,
      maxTensorBytes: formsIn(settled).maxTensorBytes,
    });
    loaded.#fit(usualEdit(model.native, model.usual));
    await loaded.#residency.follow(loaded.#plan);
    return loaded;
  }

  get tileSide(): number | undefined {
    return this.#plan.tileSide;
  }

  /** Memory that the planned edit takes: with networks that come and go, up to the limit. */
  get neededBytes(): number {
    return this.#residency.isWhole ? this.#plan.residentBytes : this.#limitBytes;
  }

  /** Says whether the next edit computes in float32 throughout; where that changes, a network is loaded again. */
  compute(exactness: { isExact: boolean }): void {
    for (const component of this.#components.values()) component.compute(exactness);
  }

  /** The graphs of all networks as the next edit computes them. */
  graphs(): Uint8Array[] {
    return [...this.#components.values()].map((component) => component.graph());
  }

  async prepare(edit: EditExtent): Promise<number> {
    const most = Math.min(edit.atOnce ?? 1, this.batches.most);
    if (most > 1) await this.batches.ready();
    const atOnce = this.#roomFor(edit, most);
    // Edits that run together find the networks loaded, and one plan that holds for all of them.
    if ((edit.members ?? 1) > 1 && atOnce < most) throw new NotTogether();
    this.#plan = this.#planWith(checkMemory, { ...edit, atOnce });
    this.#fit(edit);
    if (atOnce === 1 && this.#roomFor(edit, 2) === 1) {
      for (const component of this.#components.values()) await component.releaseSeveral();
    }
    await this.#residency.follow(this.#plan);
    return atOnce;
  }

  async mostTogether(edit: EditExtent): Promise<number> {
    const { most } = this.batches;
    const { atOnce = 1 } = edit;
    if (most <= atOnce) return 1;
    await this.batches.ready();
    for (let members = Math.floor(most / atOnce); members > 1; members -= 1) {
      const extent = { ...edit, members, atOnce: members * atOnce };
      // Kept encodings would make room.
      const plan = planMemory(this.#model, this.kinds, extent, this.#limitBytes, this.#maxTensorBytes);
      if (isResident(plan, this.#limitBytes)) return members;
    }
    return 1;
  }

  /** How many images a run has room for, of so many, while all networks stay loaded. */
  #roomFor(edit: EditExtent, most: number): number {
    for (let atOnce = most; atOnce > 1; atOnce -= 1) {
      if (isResident(this.#planWith(planMemory, { ...edit, atOnce }), this.#limitBytes)) return atOnce;
    }
    return 1;
  }

  /** Encodings get what the edit leaves, so they never keep one from running. */
  #planWith(plan: typeof checkMemory, edit: EditExtent): MemoryPlan {
    const planFor = (extent: EditExtent): MemoryPlan =>
      plan(this.#model, this.kinds, extent, this.#limitBytes, this.#maxTensorBytes);
    const alone = planFor(edit);
    const encodingBytes = this.#encodings?.fit(this.#limitBytes - alone.peakBytes) ?? 0;
    return encodingBytes === 0 ? alone : planFor({ ...edit, encodingBytes });
  }

  #fit(edit: EditExtent): void {
    for (const definition of this.#model.components) {
      const component = this.#components.get(definition.name)!;
      for (const { dims } of definition.runs(edit, this.#plan.tileSide)) component.fit(dims);
    }
  }

  async run(
    name: string,
    inputs: Readonly<Record<string, Tensor>>,
    adapters: Adapters = NO_ADAPTERS,
    { hasSeveral = false }: { hasSeveral?: boolean } = {},
  ): Promise<Record<string, Tensor>> {
    if (!this.#isAdaptable && adapters.size > 0) throw new Error("These networks take no adapters.");
    const component = this.#components.get(name)!;
    const adapted = await this.#adapterInputs(component, adapters);
    if (hasSeveral) return this.#residency.runSeveral(component, { ...inputs, ...adapted });
    const take = (outputs: Record<string, Tensor>): Promise<Record<string, Tensor>> =>
      this.#memory.take(outputs);
    return this.#residency.run(component, { ...inputs, ...adapted }, take);
  }

  hold<Name extends string>(tensors: Readonly<Record<Name, Tensor>>): Promise<Record<Name, Tensor>> {
    return this.#memory.hold(tensors);
  }

  rows(tensor: Tensor): Promise<Tensor[]> {
    return this.#memory.rows(tensor);
  }

  free(): void {
    this.#adapted.clear();
    this.#memory.free();
  }

  async dispose(): Promise<void> {
    await this.#residency.dispose();
    await this.batches.kept();
    await this.#memory.dispose();
  }

  /** A network has thousands of these inputs; they are listed, and travel, once an edit. */
  async #adapterInputs(component: Component, adapters: Adapters): Promise<Readonly<Record<string, Tensor>>> {
    if (component.adapterInputs === undefined) return {};
    const known = this.#adapted.get(component);
    if (known?.adapters === adapters) return known.inputs;
    const inputs = await this.hold(component.adapterInputs.inputsOf(adapters));
    this.#adapted.set(component, { adapters, inputs });
    return inputs;
  }
}

/** Prepares the stored weights in their kinds, one network at a time: a conversion uses all cores. */
async function prepareWeights(
  { stored }: Model,
  kinds: NetworkKinds,
  runtime: RuntimeOptions,
  { cacheFolder, onConversion, accuracyLevel }: ComponentOptions,
): Promise<ReadonlyMap<string, WeightSet>> {
  const cache = {
    folder: cacheFolder ?? userCacheFolder(),
    threads: runtime.threads || undefined,
    onProgress: onConversion,
  };
  const prepared = new Map<string, WeightSet>();
  for (const [name, weights] of Object.entries(stored)) {
    const kind = kinds[name] ?? "fp32";
    prepared.set(name, await preparedWeights(name, weights, kind, cache, { accuracyLevel }));
  }
  return prepared;
}

/** Chooses the device for the networks with these weights. */
async function settle(
  model: Model,
  stored: ReadonlyMap<string, WeightSet>,
  { settleDevice }: ComponentOptions,
): Promise<ChosenDevice | undefined> {
  const networks = model.components.map((definition) => ({
    definition,
    weights: stored.get(definition.weights)!,
  }));
  return settleDevice?.(networks, usualEdit(model.native, model.usual));
}

const runtimeOf = ({ name, forms, computeType }: ChosenDevice): Partial<RuntimeOptions> => ({
  device: name,
  forms,
  computeType,
});

/** The weights as the device multiplies them, unless the caller says how. */
function weightsFor(
  { device = "cpu" }: RuntimeOptions,
  stored: ReadonlyMap<string, WeightSet>,
  { accuracyLevel }: ComponentOptions,
): ReadonlyMap<string, WeightSet> {
  if (device === "cpu" || accuracyLevel !== undefined) return stored;
  return new Map([...stored].map(([name, weights]) => [name, exactly(weights)]));
}

/** What products are computed in; undefined where that was asked for, or the device decides it. */
async function chosenProducts(
  { components, native, usual }: Model,
  {
    kinds,
    prepared,
    runtime: { device = "cpu", computeType = "float32", threads },
  }: { kinds: NetworkKinds; prepared: ReadonlyMap<string, WeightSet>; runtime: RuntimeOptions },
  { weights, digest, cacheFolder = userCacheFolder() }: ComponentOptions,
): Promise<ChosenProducts | undefined> {
  const largest = components.find(({ trial }) => trial?.isTimed);
  const isFree = weights === "auto" && device === "cpu" && computeType === "float32";
  if (!isFree || digest === undefined || largest === undefined || kinds[largest.weights] !== "fp32") {
    return undefined;
  }
  const edit = squareEdit(Math.sqrt(native.area), usual);
  return chooseProducts(largest, prepared.get(largest.weights)!, {
    threads,
    usual: edit,
    cacheFolder,
    digest,
  });
}
