/**
 * How much memory an edit takes, before anything is loaded: from the components as data. Weights are counted from the
 * graphs; what a network needs while it runs is its component's to say (`test/engine/memory-plan.test.ts` measures it).
 */
import { countWeights, totalOf, type WeightCount } from "../models/count.ts";
import { type ComponentDefinition, precisionOf, type WeightsKind } from "./component.ts";
import type { EditExtent } from "./extent.ts";
import type { ModelPlan } from "./model.ts";

/** The kind that each of a checkpoint's stored weights is loaded in, by their name; all others stay as they are. */
export type NetworkKinds = Readonly<Record<string, WeightsKind>>;

export interface ComponentNeeds {
  parameters: number;
  /** Of its weights: memory of the process. */
  privateBytes: number;
  /** Of its weights: pages of its files, which the system can drop and read again. */
  mappedBytes: number;
  /** On top of it while it runs. */
  workingBytes: number;
}

export interface MemoryPlan {
  /** By the components' names, in the order in which an edit needs them. */
  components: Readonly<Record<string, ComponentNeeds>>;
  /** Side of the tiles, in pixels, of components that can work in tiles; absent where they take images whole. */
  tileSide?: number | undefined;
  /** Taken from the first step to the last, whatever is loaded. */
  heldBytes: number;
  /** The least that an edit can do with: one network at a time. */
  peakBytes: number;
  /** With every network loaded. */
  residentBytes: number;
}

const FLOAT = 4;
const MB = 2 ** 20;
/** Node, the image before and after, and the safety checker: an edit with the smallest checkpoint takes less. */
const PROCESS_BYTES = 200 * MB;
/** Of the runtime, for a network of no size. */
const SESSION_BYTES = 16 * MB;
/** Of the limit, what a component may take before it works in tiles. */
const TILED_SHARE = 1 / 4;
/** Largest first; what lies in a tile's middle must see something around it. */
const TILE_SIDES = [1024, 512, 256];
/** Of the limit, what networks may take together; one alone may take all of it. */
export const SHARED_SHARE = 3 / 4;

/**
 * Bytes of a matrix's weight. The runtime copies what it multiplies into an order of its own, unless it is kept in 16
 * bits: then it stays in its file, and is widened layer by layer.
 */
interface Storage {
  private: number;
  mapped: number;
}
const PLAIN: Storage = { private: 4, mapped: 0 };
const HALF: Storage = { private: 0, mapped: 2 };
const BLOCK = 128;
const INT8: Storage = { private: 1 + FLOAT / BLOCK, mapped: 0 };
const INT4: Storage = { private: 1 / 2 + FLOAT / BLOCK, mapped: 0 };
const MATRICES: Readonly<Record<WeightsKind, Storage>> = {
  fp32: PLAIN,
  fp16: HALF,
  bf16: HALF,
  int8: INT8,
  int4: INT4,
};

/**
 * @param kinds of the stored weights, or the one of all
 * @param limitBytes what the process may take; decides whether components work in tiles
 */
export function planMemory(
  model: ModelPlan,
  kinds: WeightsKind | NetworkKinds,
  edit: EditExtent,
  limitBytes: number,
): MemoryPlan {
  const tileSide = tileSideOf(model.components, edit, limitBytes);
  const needs = model.components.map((component) => {
    const kind = typeof kinds === "string" ? kinds : (kinds[component.weights] ?? "fp32");
    return [component.name, needsOf(component, kind, component.workingBytes(edit, tileSide))] as const;
  });
  const all = needs.map(([, one]) => one);
  const heldBytes = PROCESS_BYTES + model.heldBytes(edit) + (edit.loraBytes ?? 0);
  return {
    components: Object.fromEntries(needs),
    tileSide,
    heldBytes,
    peakBytes: heldBytes + Math.max(...all.map((one) => one.privateBytes + one.workingBytes)),
    residentBytes:
      heldBytes +
      all.reduce((sum, { privateBytes }) => sum + privateBytes, 0) +
      Math.max(...all.map(({ workingBytes }) => workingBytes)),
  };
}

/** Whether every network can stay loaded. */
export const isResident = ({ residentBytes }: MemoryPlan, limitBytes: number): boolean =>
  residentBytes <= SHARED_SHARE * limitBytes;

/** Bytes of a file with the weights of a component. */
export function fileBytes(component: ComponentDefinition, kind: WeightsKind): number {
  const { matrices, others } = weightsOf(component);
  const { private: own, mapped } = MATRICES[precisionOf(component, kind)];
  return matrices * (own + mapped) + others * (kind === "fp32" ? FLOAT : 2);
}

/** Counted once: a definition never changes. */
const counts = new WeakMap<ComponentDefinition, WeightCount>();

export function weightsOf(component: ComponentDefinition): WeightCount {
  const known = counts.get(component);
  if (known) return known;
  const count = countWeights((weights) => component.build(weights));
  counts.set(component, count);
  return count;
}

function needsOf(component: ComponentDefinition, wanted: WeightsKind, workingBytes: number): ComponentNeeds {
  const count = weightsOf(component);
  const storage = MATRICES[precisionOf(component, wanted)];
  return {
    parameters: totalOf(count),
    // Whatever is no matrix is float32 once it is loaded, also where a file has it in 16 bits.
    privateBytes: SESSION_BYTES + count.matrices * storage.private + count.others * FLOAT,
    mappedBytes: count.matrices * storage.mapped,
    // Where a file has 16 bits, one matrix at a time is widened.
    workingBytes: workingBytes + (storage.mapped > 0 ? count.largestMatrix * FLOAT : 0),
  };
}

/** The side of the tiles, in pixels; undefined where images fit whole. */
function tileSideOf(
  components: readonly ComponentDefinition[],
  edit: EditExtent,
  limitBytes: number,
): number | undefined {
  const tiled = components.filter(({ isTiled }) => isTiled);
  const fits = (side?: number): boolean =>
    tiled.every((component) => component.workingBytes(edit, side) <= TILED_SHARE * limitBytes);
  return fits() ? undefined : (TILE_SIDES.find((side) => fits(side)) ?? TILE_SIDES.at(-1));
}
