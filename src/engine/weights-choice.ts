/** In how many bits the large networks are loaded: as requested, or as many as fit into memory. */
import type { StoredWeights } from "../quantize/prepare.ts";
import { WeightSet } from "../weights/weight-set.ts";
import { WEIGHTS_KINDS, type WeightsKind } from "./component.ts";
import { usualEdit } from "./extent.ts";
import { isResident, type MemoryPlan, type NetworkKinds, planMemory } from "./memory-plan.ts";
import type { Model, ModelPlan } from "./model.ts";

export const WEIGHTS_CHOICES = ["auto", ...WEIGHTS_KINDS] as const;
/** `auto` depends on what fits. */
export type WeightsChoice = (typeof WEIGHTS_CHOICES)[number];

/** In the order in which `auto` tries them if not everything can stay loaded in float32. */
const IN_FEW_BITS = ["int8", "int4"] as const;

/** The kind of every stored weight that may be converted. */
export function chooseKinds(
  choice: WeightsChoice,
  model: ModelPlan & Pick<Model, "stored">,
  limitBytes: number,
): NetworkKinds {
  const names = convertibleNames(model);
  const kindsIn = (kindOf: (weights: StoredWeights) => WeightsKind): NetworkKinds =>
    Object.fromEntries(names.map((name) => [name, kindOf(model.stored[name]!)]));
  if (choice !== "auto") return kindsIn(() => choice);
  return (
    firstFitting(model, limitBytes, (kind) => kindsIn((weights) => unaskedKind(weights, kind))) ??
    // If nothing fits, nothing is rounded either: edits are refused, with the figures.
    kindsIn((weights) => (weights instanceof WeightSet ? "fp32" : halfOf(weights)))
  );
}

/** Names of the stored weights that may be converted. */
export const convertibleNames = ({ components, stored }: Pick<Model, "components" | "stored">): string[] =>
  Object.keys(stored).filter((name) =>
    components.some(({ weights, leastPrecision }) => weights === name && leastPrecision !== "fp32"),
  );

/** What `auto` chooses for a checkpoint: float32 if all can stay loaded, else the most bits that fit in turns. */
export const fittingKind = (model: ModelPlan, limitBytes: number): WeightsKind | undefined =>
  firstFitting(model, limitBytes, (kind) => kind);

/** @param kindsOf the kinds of the networks when those of the folder are in one kind */
function firstFitting<Kinds extends WeightsKind | NetworkKinds>(
  model: ModelPlan,
  limitBytes: number,
  kindsOf: (kind: WeightsKind) => Kinds,
): Kinds | undefined {
  const planOf = (kinds: Kinds): MemoryPlan =>
    planMemory(model, kinds, usualEdit(model.native, model.usual), limitBytes);
  const exact = kindsOf("fp32");
  if (isResident(planOf(exact), limitBytes)) return exact;
  return IN_FEW_BITS.map(kindsOf).find((kinds) => planOf(kinds).peakBytes <= limitBytes);
}

/**
 * A GGUF file has been rounded once. Rounding it again to few bits costs more of the picture than 45 dB, so that is left
 * to whoever asks for it; 16 bits cost next to nothing.
 */
const unaskedKind = (weights: StoredWeights, kind: WeightsKind): WeightsKind =>
  weights instanceof WeightSet || kind === "fp32" ? kind : halfOf(weights);

const halfOf = ({ half = "fp16" }: Exclude<StoredWeights, WeightSet>): WeightsKind => half;

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
