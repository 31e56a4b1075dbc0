/**
 * The weights of one network in a single `.safetensors` file whose layout differs from the network's own. Every part
 * of a tensor is a byte range of the file, so nothing is converted or copied.
 *
 * ComfyUI's "scaled fp8" files have a float32 scale beside a weight (`X.scale_weight` for `X.weight`), which the graph
 * multiplies by; `X.scale_input` and the marker `scaled_fp8` concern ComfyUI's own arithmetic and are not needed here.
 */
import { realpath } from "node:fs/promises";
import { RetouchError } from "../errors.ts";
import { showShape } from "../onnx/graph.ts";
import { readSafetensorsHeader, type StoredTensor } from "./safetensors.ts";
import { elements, type LayoutEntry, prefixOf, TensorFile } from "./tensor-file.ts";
import { type AssembledTensor, isReadable, READABLE_TYPES, WeightSet } from "./weight-set.ts";

const SCALED_MARKER = "scaled_fp8";
const WEIGHT = /\.weight$/;

export class SingleFile extends TensorFile<StoredTensor> {
  /** By the key of the weight, without the prefix. */
  readonly #scales: ReadonlyMap<string, StoredTensor>;

  private constructor(file: string, stored: ReadonlyMap<string, StoredTensor>) {
    const { tensors, scales } = separateScales(stored);
    super(file, tensors, { test: isReadable, names: READABLE_TYPES });
    this.#scales = scales;
  }

  /** Reads the header of `file`. @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID */
  static async open(file: string): Promise<SingleFile> {
    // Follows links, which hub caches contain: the runtime accepts data below one real folder only.
    const real = await realpath(file).catch((cause: unknown) => {
      throw new RetouchError("CHECKPOINT_MISSING", `The weights file ${file} does not exist.`, { cause });
    });
    return new SingleFile(file, await readSafetensorsHeader(real));
  }

  /**
   * Gives the network its weights under its own keys.
   * @param name what a message calls the network
   * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED for the first key that is missing, unknown, of
   * another shape or of a type that cannot be read
   */
  arrange(name: string, layout: readonly LayoutEntry[]): WeightSet {
    const weights = new Map<string, AssembledTensor>();
    for (const { entry, tensor } of this.tensorsOf(layout)) {
      const scale = this.#scaleOf(entry.key);
      for (const { key, ...place } of placesOf(entry, tensor)) {
        weights.set(key, { ...place, scale });
      }
    }
    return new WeightSet(name, weights);
  }

  #scaleOf(key: string): StoredTensor | undefined {
    const scale = this.#scales.get(key);
    if (scale && (scale.dtype !== "float32" || !["[]", "[1]"].includes(showShape(scale.shape)))) {
      const name = this.named(key.replace(WEIGHT, ".scale_weight"));
      throw this.invalid(
        `has ${name} as ${scale.storedType} ${showShape(scale.shape)} where one F32 number is wanted`,
      );
    }
    return scale;
  }
}

/** Separates the "scaled fp8" entries from the tensors. */
function separateScales(
  stored: ReadonlyMap<string, StoredTensor>,
): Record<"tensors" | "scales", Map<string, StoredTensor>> {
  const prefix = prefixOf(stored.keys());
  const tensors = new Map<string, StoredTensor>();
  const scales = new Map<string, StoredTensor>();
  for (const [key, tensor] of stored) {
    if (key === SCALED_MARKER || key === `${prefix}${SCALED_MARKER}`) continue;
    const [, layer, kind] = /^(.+)\.scale_(weight|input)$/.exec(key) ?? [];
    if (layer === undefined || !layer.startsWith(prefix) || !stored.has(`${layer}.weight`)) {
      tensors.set(key, tensor);
    } else if (kind === "weight") {
      scales.set(`${layer.slice(prefix.length)}.weight`, tensor);
    }
  }
  return { tensors, scales };
}

/** Which byte ranges of a tensor make up which weight. A matrix's rows are contiguous, so a part is one range. */
function placesOf(
  { parts, isSwapped }: LayoutEntry,
  tensor: StoredTensor,
): { key: string; shape: readonly number[]; parts: StoredTensor[] }[] {
  const bytesPerElement = tensor.byteLength / elements(tensor.shape);
  let { byteOffset } = tensor;
  return parts.map(({ key, shape }) => {
    const byteLength = elements(shape) * bytesPerElement;
    const range = { ...tensor, shape, byteOffset, byteLength };
    byteOffset += byteLength;
    return { key, shape, parts: isSwapped ? halves(range).toReversed() : [range] };
  });
}

function halves(tensor: StoredTensor): StoredTensor[] {
  const [rows, ...rest] = tensor.shape;
  const byteLength = tensor.byteLength / 2;
  const first = { ...tensor, shape: [rows! / 2, ...rest], byteLength };
  return [first, { ...first, byteOffset: tensor.byteOffset + byteLength }];
}
