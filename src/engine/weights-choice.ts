/** In how many bits the large networks are loaded: as requested, or as many as fit into memory. */
import { invalid } from "../errors.ts";
import type { StoredWeights } from "../quantize/prepare.ts";
import type { WeightKind } from "../weights/converted.ts";
import { elements } from "../weights/tensor-file.ts";
import { WeightSet } from "../weights/weight-set.ts";
import { WEIGHTS_KINDS, type WeightsKind } from "./component.ts";
import { usualEdit } from "./extent.ts";
import { isResident, type MemoryPlan, type NetworkKinds, planMemory } from "./memory-plan.ts";
import type { Model, ModelPlan } from "./model.ts";

export const WEIGHTS_CHOICES = ["auto", ...WEIGHTS_KINDS] as const;
/** `auto` depends on what fits, and on the bits that a GGUF file has. */
export type WeightsChoice = (typeof WEIGHTS_CHOICES)[number];

/** In the order in which `auto` tries them if not everything can stay loaded in float32. */
const IN_FEW_BITS = ["int8", "int4"] as const;
/** A GGUF file with at most this many bits per weight loses little in 4 bits: the mixed types have 4.5 to 4.9. */
const FOUR_BIT_MOST = 5;

/**
 * The kind of every stored weight that may be converted.
 * @throws RetouchError INVALID_PARAMETER if a GGUF file is requested as float32
 */
export function chooseKinds(
  choice: WeightsChoice,
  model: ModelPlan & Pick<Model, "stored">,
  limitBytes: number,
): NetworkKinds {
  // If nothing fits, nothing is converted either: edits are refused, with the figures.
  const kind = choice === "auto" ? (fittingKind(model, limitBytes) ?? "fp32") : choice;
  const kindOf = (weights: StoredWeights): WeightsKind => {
    if (weights instanceof WeightSet) return kind;
    if (choice === "auto") return kindOfBlocks(weights, kind);
    if (kind !== "fp32") return kind;
    throw invalid("oneOf", {
      field: "weights",
      choices: `auto, fp16, bf16, int8 or int4 for the GGUF file ${weights.name}`,
      given: "fp32",
    });
  };
  return Object.fromEntries(convertibleNames(model).map((name) => [name, kindOf(model.stored[name]!)]));
}

/** Names of the stored weights that may be converted. */
export const convertibleNames = ({ components, stored }: Pick<Model, "components" | "stored">): string[] =>
  Object.keys(stored).filter((name) =>
    components.some(({ weights, leastPrecision }) => weights === name && leastPrecision !== "fp32"),
  );

/** What `auto` chooses for a checkpoint: float32 if all can stay loaded, else the most bits that fit in turns. */
export function fittingKind(model: ModelPlan, limitBytes: number): WeightsKind | undefined {
  const planOf = (kind: WeightsKind): MemoryPlan =>
    planMemory(model, kind, usualEdit(model.native), limitBytes);
  if (isResident(planOf("fp32"), limitBytes)) return "fp32";
  return IN_FEW_BITS.find((kind) => planOf(kind).peakBytes <= limitBytes);
}

/** Storing more bits than the file has would add no precision. */
function kindOfBlocks(source: Exclude<StoredWeights, WeightSet>, fitting: WeightsKind): WeightKind {
  let numbers = 0;
  for (const { shape } of source.weights()) numbers += elements(shape);
  const bits = (8 * source.byteLength) / numbers;
  return fitting === "int4" || bits <= FOUR_BIT_MOST ? "int4" : "int8";
}

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
