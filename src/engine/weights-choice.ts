/** In how many bits the large networks are loaded: as requested, or as many as fit into memory. */
import type { StoredWeights } from "../quantize/prepare.ts";
import { WeightSet } from "../weights/weight-set.ts";
import { WEIGHTS_KINDS, type WeightsKind } from "./component.ts";
import { usualEdit } from "./extent.ts";
import { isResident, type MemoryPlan, type NetworkKinds, planMemory } from "./memory-plan.ts";
import type { Model, ModelPlan } from "./model.ts";

/** What the option `weights` accepts. */
export const WEIGHTS_CHOICES = ["auto", ...WEIGHTS_KINDS] as const;
/** `auto` depends on what fits. */
export type WeightsChoice = (typeof WEIGHTS_CHOICES)[number];

/** In the order in which `auto` tries them if not everything can stay loaded in float32. */
const IN_FEW_BITS = ["int8", "int4"] as const;

export interface Room {
  /** What the process may take. */
  limitBytes: number;
  /** What LoRAs may take in an edit, the most first; the first for which there can be room decides. @default none */
  loraRooms?: readonly number[] | undefined;
}

/** The kind of every stored weight that may be converted. */
export function chooseKinds(
  choice: WeightsChoice,
  model: ModelPlan & Pick<Model, "stored">,
  room: Room,
): NetworkKinds {
  const kindsIn = (kindOf: (weights: StoredWeights) => WeightsKind): NetworkKinds =>
    Object.fromEntries(convertibleNames(model).map((name) => [name, kindOf(model.stored[name]!)]));
  if (choice !== "auto") return kindsIn(() => choice);
  return (
    fittingKinds(model, room) ??
    // If nothing fits, nothing is rounded either: edits are refused, with the figures.
    kindsIn((weights) => (weights instanceof WeightSet ? "fp32" : halfOf(weights)))
  );
}

/** Names of the stored weights that may be converted. */
export function convertibleNames({ components, stored }: Pick<ModelPlan, "components" | "stored">): string[] {
  const names = stored ? Object.keys(stored) : [...new Set(components.map(({ weights }) => weights))];
  return names.filter((name) =>
    components.some(({ weights, leastPrecision }) => weights === name && leastPrecision !== "fp32"),
  );
}

/**
 * What `auto` chooses for a checkpoint: float32 if all can stay loaded, else the most bits that fit in turns. Undefined if
 * nothing fits.
 */
export function fittingKinds(model: ModelPlan, room: Room): NetworkKinds | undefined {
  const names = convertibleNames(model);
  return firstFitting(model, room, (kind) =>
    Object.fromEntries(names.map((name) => [name, unaskedKind(model.stored?.[name], kind)])),
  );
}

/** @param kindsOf the kinds of the networks when those of the folder are in one kind */
function firstFitting(
  model: ModelPlan,
  { limitBytes, loraRooms = [] }: Room,
  kindsOf: (kind: WeightsKind) => NetworkKinds,
): NetworkKinds | undefined {
  const planOf = (kinds: NetworkKinds, loraBytes: number): MemoryPlan =>
    planMemory(model, kinds, { ...usualEdit(model.native, model.usual), loraBytes }, limitBytes);
  const exact = kindsOf("fp32");
  // LoRAs come and go: beside them, networks may be loaded in turns.
  const kinds = isResident(planOf(exact, 0), limitBytes) ? [exact] : [];
  kinds.push(...IN_FEW_BITS.map(kindsOf));
  for (const loraBytes of [...loraRooms, 0]) {
    const fitting = kinds.find((each) => planOf(each, loraBytes).peakBytes <= limitBytes);
    if (fitting !== undefined) return fitting;
  }
  return undefined;
}

/**
 * A GGUF file has been rounded once. Rounding it again to few bits costs more of the picture than 45 dB, so that is left
 * to whoever asks for it; 16 bits cost next to nothing.
 */
const unaskedKind = (weights: StoredWeights | undefined, kind: WeightsKind): WeightsKind =>
  weights === undefined || weights instanceof WeightSet || kind === "fp32" ? kind : halfOf(weights);

const halfOf = ({ half = "fp16" }: Exclude<StoredWeights, WeightSet>): WeightsKind => half;

/** Names of the stored weights that `auto` does not round again. */
export const roundedBefore = (model: ModelPlan): string[] =>
  convertibleNames(model).filter((name) => model.stored && !(model.stored[name] instanceof WeightSet));

/** The kind of the largest network, which a model lists first. */
export const largestKind = (kinds: NetworkKinds): WeightsKind => Object.values(kinds)[0] ?? "fp32";

/** The kind, such as "int8", or each network's if they differ: "transformer int4, t5 fp32". */
export function kindsText(kinds: NetworkKinds): string {
  const [first, ...others] = Object.values(kinds);
  if (first === undefined) return "fp32";
  if (others.every((kind) => kind === first)) return first;
  return Object.entries(kinds)
    .map(([name, kind]) => `${name} ${kind}`)
    .join(", ");
}
