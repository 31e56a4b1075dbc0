/**
 * The weights of one network in a single `.safetensors` file whose keys are not the network's own, as the original
 * repository of FLUX.1 and ComfyUI publish them. A layout says which part of which tensor is which weight; every part
 * is a byte range of the file, so nothing is converted and nothing is copied.
 *
 * ComfyUI's "scaled fp8" files have a float32 scale beside a weight (`X.scale_weight` for `X.weight`), which the graph
 * multiplies with; `X.scale_input` and the marker `scaled_fp8` concern its own arithmetic and are not needed here.
 */
import { realpath } from "node:fs/promises";
import { RetouchError } from "../errors.ts";
import { showShape } from "../onnx/graph.ts";
import { readSafetensorsHeader, type StoredTensor } from "./safetensors.ts";
import { type AssembledTensor, isReadable, READABLE_TYPES, WeightSet } from "./weight-set.ts";

/** A tensor of the file and the network's weights that lie in it, one after the other. */
export interface LayoutEntry {
  key: string;
  shape: readonly number[];
  parts: readonly { key: string; shape: readonly number[] }[];
  /** Whether the network has the two halves of the only part's rows in the other order. */
  isSwapped?: boolean;
}

/** What ComfyUI puts before every key of a diffusion model. */
const COMFY_PREFIX = "model.diffusion_model.";
/** Marks a key that lacks the prefix of the others; no key of a layout begins with it. */
const OUTSIDE = "\0";
const SCALED_MARKER = "scaled_fp8";
const WEIGHT = /\.weight$/;

export class SingleFile {
  readonly file: string;
  /** What the file puts before every key; the keys below are without it. */
  readonly #prefix: string;
  readonly #tensors: ReadonlyMap<string, StoredTensor>;
  readonly #scales: ReadonlyMap<string, StoredTensor>;

  private constructor(file: string, stored: ReadonlyMap<string, StoredTensor>) {
    this.file = file;
    this.#prefix = [...stored.keys()].some((key) => key.startsWith(COMFY_PREFIX)) ? COMFY_PREFIX : "";
    const tensors = new Map<string, StoredTensor>();
    const scales = new Map<string, StoredTensor>();
    for (const [fullKey, tensor] of stored) {
      const isPrefixed = fullKey.startsWith(this.#prefix);
      const key = isPrefixed ? fullKey.slice(this.#prefix.length) : fullKey;
      if (key === SCALED_MARKER) continue;
      const scaled = /^(.+)\.scale_(weight|input)$/.exec(key);
      if (scaled && isPrefixed && stored.has(`${this.#prefix}${scaled[1]}.weight`)) {
        if (scaled[2] === "weight") scales.set(`${scaled[1]}.weight`, tensor);
      } else {
        // Without the prefix that the others have, it is no weight of this network.
        tensors.set(isPrefixed ? key : `${OUTSIDE}${key}`, tensor);
      }
    }
    this.#tensors = tensors;
    this.#scales = scales;
  }

  /** Reads the header of `file`. @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID */
  static async open(file: string): Promise<SingleFile> {
    // Follows links, as a hub cache has them: the runtime accepts data below one real folder only.
    const real = await realpath(file).catch((cause: unknown) => {
      throw new RetouchError("CHECKPOINT_MISSING", `The weights file ${file} does not exist.`, { cause });
    });
    return new SingleFile(file, await readSafetensorsHeader(real));
  }

  has(key: string): boolean {
    return this.#tensors.has(key);
  }

  /** A dimension of a tensor, where the sizes of a network are read off its weights. */
  dimension(key: string, axis: number): number {
    const tensor = this.#tensors.get(key);
    if (!tensor) throw this.#invalid(`lacks the weight ${this.#named(key)}`);
    const dim = tensor.shape[axis];
    if (dim === undefined || dim === 0) {
      throw this.#invalid(
        `has ${this.#named(key)} in the shape ${showShape(tensor.shape)}, which has no use`,
      );
    }
    return dim;
  }

  /** How many numbers follow `prefix` in the keys: its blocks, where they are numbered from 0. */
  countBelow(prefix: string): number {
    const rest = [...this.#tensors.keys()].filter((key) => key.startsWith(`${prefix}.`));
    const indices = rest.map((key) => key.slice(prefix.length + 1).split(".")[0]!);
    return new Set(indices.filter((index) => /^\d+$/.test(index))).size;
  }

  /**
   * Gives the network its weights under its own keys.
   * @param name what a message calls the network
   * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED for the first key that is missing, unknown, of
   * another shape or of a type that cannot be read
   */
  arrange(name: string, layout: readonly LayoutEntry[]): WeightSet {
    const weights = new Map<string, AssembledTensor>();
    for (const entry of layout) {
      const scale = this.#scaleOf(entry.key);
      for (const { key, ...place } of placesOf(entry, this.#tensorOf(entry))) {
        weights.set(key, { ...place, scale });
      }
    }
    this.#assertKnown(new Set(layout.map(({ key }) => key)));
    return new WeightSet(name, weights);
  }

  #tensorOf({ key, shape }: LayoutEntry): StoredTensor {
    const tensor = this.#tensors.get(key);
    if (!tensor) throw this.#invalid(`lacks the weight ${this.#named(key)} ${showShape(shape)}`);
    if (showShape(tensor.shape) !== showShape(shape)) {
      throw this.#invalid(
        `has ${this.#named(key)} in the shape ${showShape(tensor.shape)} where ${showShape(shape)} is wanted`,
      );
    }
    if (!isReadable(tensor)) {
      throw new RetouchError(
        "CHECKPOINT_UNSUPPORTED",
        `The weights file ${this.file} stores ${this.#named(key)} as ${tensor.storedType}; ${READABLE_TYPES} can be read.`,
      );
    }
    return tensor;
  }

  #scaleOf(key: string): StoredTensor | undefined {
    const scale = this.#scales.get(key);
    if (scale && (scale.dtype !== "float32" || !["[]", "[1]"].includes(showShape(scale.shape)))) {
      const name = this.#named(key.replace(WEIGHT, ".scale_weight"));
      throw this.#invalid(
        `has ${name} as ${scale.storedType} ${showShape(scale.shape)} where one F32 number is wanted`,
      );
    }
    return scale;
  }

  #assertKnown(known: ReadonlySet<string>): void {
    const unknown = [...this.#tensors.keys()].filter((key) => !known.has(key)).map((key) => this.#named(key));
    if (unknown.length === 0) return;
    const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : "";
    throw this.#invalid(`holds ${unknown.slice(0, 3).join(", ")}${more}, for which the network has no place`);
  }

  /** A key as it stands in the file. */
  #named(key: string): string {
    return key.startsWith(OUTSIDE) ? key.slice(OUTSIDE.length) : `${this.#prefix}${key}`;
  }

  #invalid(what: string): RetouchError {
    return new RetouchError("CHECKPOINT_INVALID", `The weights file ${this.file} ${what}.`);
  }
}

/** Which byte ranges of a tensor make which weight. Rows of a matrix follow each other, so that a part is one range. */
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

const elements = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);
