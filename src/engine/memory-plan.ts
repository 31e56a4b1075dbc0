/**
 * How much memory an edit takes, before anything is loaded, planned from the components as data. Weights are counted
 * from the graphs; each component states what its network needs while it runs (`test/engine/memory-plan.test.ts`
 * measures it).
 */
import { countWeights, totalOf, type WeightCount } from "../models/count.ts";
import { type ComponentDefinition, precisionOf, type WeightsKind } from "./component.ts";
import { type EditExtent, pictureBytes } from "./extent.ts";
import type { ModelPlan } from "./model.ts";

/** The kind that each of a checkpoint's stored weights is loaded in, by name; all others stay as they are. */
export type NetworkKinds = Readonly<Record<string, WeightsKind>>;

export interface ComponentNeeds {
  parameters: number;
  /** The part of its weights in the process's own memory. */
  privateBytes: number;
  /** The part of its weights in mapped files, whose pages the system can drop and read again. */
  mappedBytes: number;
  /** Additional bytes while it runs. */
  workingBytes: number;
}

export interface MemoryPlan {
  /** By component name, in the order in which an edit needs them. */
  components: Readonly<Record<string, ComponentNeeds>>;
  /** Side of the tiles, in pixels, for components that can work in tiles; absent if they process whole images. */
  tileSide?: number | undefined;
  /** Held from the first step to the last, whatever is loaded. */
  heldBytes: number;
  /** The least memory an edit can run with: one network at a time. */
  peakBytes: number;
  /** Memory with every network loaded. */
  residentBytes: number;
}

const FLOAT = 4;
const MB = 2 ** 20;
/** Node, the image before and after, and the safety checker; an edit with the smallest checkpoint takes less. */
const PROCESS_BYTES = 200 * MB;
/** The runtime's own memory for a network, apart from its weights. */
const SESSION_BYTES = 16 * MB;
/** Share of the limit that a component may take before it works in tiles. */
const TILED_SHARE = 1 / 4;
/** Of the layers that a tiled component holds at a time, the largest is at most the working memory over this. */
const LAYERS_AT_ONCE = 4;
/** Largest first; the middle of a tile needs context around it. */
const TILE_SIDES = [1024, 512, 256];
/** Share of the limit that networks may take together; a single one may take all of it. */
export const SHARED_SHARE = 3 / 4;

/**
 * Bytes per weight of a matrix. The runtime copies the matrices it multiplies into its own memory layout, unless they
 * are kept in 16 bits: those stay in their file and are widened layer by layer.
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
 * @param kinds the kind of each stored weight, or one kind for all
 * @param limitBytes what the process may take; decides whether components work in tiles, and in how large ones
 * @param maxTensorBytes of the largest tensor that the device takes; so does this
 */
export function planMemory(
  model: ModelPlan,
  kinds: WeightsKind | NetworkKinds,
  edit: EditExtent,
  limitBytes: number,
  maxTensorBytes = Infinity,
): MemoryPlan {
  const tiledBytes = Math.min(TILED_SHARE * limitBytes, LAYERS_AT_ONCE * maxTensorBytes);
  const planIn = (tileSide?: number): MemoryPlan => planInTiles(model, kinds, edit, tileSide);
  // Smaller tiles need less, so with the smallest ones everything fits that can; more memory means larger tiles.
  const [first, ...smaller] = sidesFrom(model.components, edit, tiledBytes).map((side) => () => planIn(side));
  return smaller.reduce((plan, next) => (plan.peakBytes <= limitBytes ? plan : next()), first!());
}

function planInTiles(
  model: ModelPlan,
  kinds: WeightsKind | NetworkKinds,
  edit: EditExtent,
  tileSide: number | undefined,
): MemoryPlan {
  const needs = model.components.map((component) => {
    const needed = needsOf(component, kindOf(component, kinds), component.workingBytes(edit, tileSide));
    // The graph for several images is loaded beside the one for a single image.
    const copies = component.takesBatches && (edit.atOnce ?? 1) > 1 ? 2 : 1;
    return [component.name, { ...needed, privateBytes: copies * needed.privateBytes }] as const;
  });
  const all = needs.map(([, one]) => one);
  const { loraBytes = 0, encodingBytes = 0, members = 1 } = edit;
  const ownBytes = model.heldBytes(edit) + pictureBytes(edit);
  const heldBytes = PROCESS_BYTES + members * ownBytes + loraBytes + encodingBytes;
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

/** The kind that a component's weights should have. */
export const kindOf = ({ weights }: ComponentDefinition, kinds: WeightsKind | NetworkKinds): WeightsKind =>
  typeof kinds === "string" ? kinds : (kinds[weights] ?? "fp32");

/** Whether every network can stay loaded. */
export const isResident = ({ residentBytes }: MemoryPlan, limitBytes: number): boolean =>
  residentBytes <= SHARED_SHARE * limitBytes;

/** Size in bytes of a file with `count` of a component's weights. */
export function fileBytes(component: ComponentDefinition, count: WeightCount, kind: WeightsKind): number {
  const { matrices, tables, others } = count;
  const { private: own, mapped } = MATRICES[precisionOf(component, kind)];
  return matrices * (own + mapped) + (tables + others) * (kind === "fp32" ? FLOAT : 2);
}

/** Cached, since a definition never changes. */
const counts = new WeakMap<ComponentDefinition, WeightCount>();

function weightsOf(component: ComponentDefinition): WeightCount {
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
    // Everything but matrices and tables is float32 once loaded, even if a file has it in 16 bits. Of a table, the few
    // rows that a text needs are read from its file.
    privateBytes: SESSION_BYTES + count.matrices * storage.private + count.others * FLOAT,
    mappedBytes: count.matrices * storage.mapped,
    // If the file has 16 bits, one matrix at a time is widened.
    workingBytes: workingBytes + (storage.mapped > 0 ? count.largestMatrix * FLOAT : 0),
  };
}

/**
 * The sides of tiles to try, in pixels, largest first; undefined stands for whole images. The first one is the largest
 * with which no tiled component takes more than `tiledBytes`, or else the smallest.
 */
function sidesFrom(
  components: readonly ComponentDefinition[],
  edit: EditExtent,
  tiledBytes: number,
): (number | undefined)[] {
  const tiled = components.filter(({ isTiled }) => isTiled);
  const sides = [undefined, ...TILE_SIDES];
  const first = sides.findIndex((side) =>
    tiled.every((component) => component.workingBytes(edit, side) <= tiledBytes),
  );
  return sides.slice(first);
}
