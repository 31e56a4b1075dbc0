/**
 * The weights of one network in a single `.safetensors` file. Every part of a tensor is a byte range of the file, so
 * nothing is converted or copied.
 */
import { realpath } from "node:fs/promises";
import { RetouchError } from "../errors.ts";
import type { Wanted } from "./network-keys.ts";
import { readSafetensorsHeader, type StoredTensor } from "./safetensors.ts";
import { type Scale, scaleOf, scaleOfRows, separateScales } from "./scaled-fp8.ts";
import { elements, type LayoutEntry, TensorFile } from "./tensor-file.ts";
import { type AssembledTensor, isReadable, READABLE_TYPES, WeightSet } from "./weight-set.ts";

export class SingleFile extends TensorFile<StoredTensor> {
  /** By the key of the weight, as it is in the file. */
  readonly #scales: ReadonlyMap<string, readonly Scale[]>;

  private constructor(file: string, wanted: Wanted, stored: ReadonlyMap<string, StoredTensor>) {
    const { tensors, scales } = separateScales(stored, wanted.known);
    super(file, wanted, tensors, { test: isReadable, names: READABLE_TYPES });
    this.#scales = scales;
  }

  /**
   * Reads the header of `file`.
   * @param wanted which of the networks in it
   * @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID
   */
  static async open(file: string, wanted: Wanted): Promise<SingleFile> {
    // Follows links, which hub caches contain: the runtime accepts data below one real folder only.
    const real = await realpath(file).catch((cause: unknown) => {
      throw new RetouchError("CHECKPOINT_MISSING", `The weights file ${file} does not exist.`, { cause });
    });
    return new SingleFile(file, wanted, await readSafetensorsHeader(real));
  }

  /**
   * Gives the network its weights under its own keys.
   * @param name what a message calls the network
   * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED for the first key that is missing, unknown, of
   * another shape or of a type that cannot be read
   */
  arrange(name: string, layout: readonly LayoutEntry[]): WeightSet {
    const weights = new Map<string, StoredTensor | AssembledTensor>();
    for (const { entry, tensor } of this.tensorsOf(layout)) {
      const { file } = this;
      const scale = scaleOf({ file, name: this.named(entry.key), shape: entry.shape }, this.#scales);
      for (const [key, place] of placesOf(entry, tensor, scale)) weights.set(key, place);
    }
    return new WeightSet(name, weights);
  }
}

/** Which byte ranges of a tensor make up which weight. A matrix's rows are contiguous, so a part is one range. */
function placesOf(
  { parts, isSwapped = false }: LayoutEntry,
  tensor: StoredTensor,
  scale: StoredTensor | undefined,
): [key: string, StoredTensor | AssembledTensor][] {
  const bytesPerElement = tensor.byteLength / elements(tensor.shape);
  let { byteOffset } = tensor;
  let row = 0;
  return parts.map(({ key, shape }) => {
    const byteLength = elements(shape) * bytesPerElement;
    const range = { ...tensor, shape, byteOffset, byteLength };
    const end = row + (shape[0] ?? 1);
    const scales = scale && scaleOfRows(scale, row, end);
    byteOffset += byteLength;
    row = end;
    if (!isSwapped && !scales) return [key, range];
    const ordered = (one: StoredTensor): StoredTensor[] =>
      isSwapped && one.shape.length > 0 ? halves(one).toReversed() : [one];
    return [key, { shape, parts: ordered(range), scale: scales && ordered(scales) }];
  });
}

function halves(tensor: StoredTensor): StoredTensor[] {
  const [rows, ...rest] = tensor.shape;
  const byteLength = tensor.byteLength / 2;
  const first = { ...tensor, shape: [rows! / 2, ...rest], byteLength };
  return [first, { ...first, byteOffset: tensor.byteOffset + byteLength }];
}
