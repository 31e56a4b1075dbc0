/**
 * The tensors of a file whose keys are not the network's own, such as those of the original FLUX.1 repository, ComfyUI
 * and llama.cpp. A layout says which rows of which tensor are which weight.
 */
import { RetouchError } from "../errors.ts";
import { showShape } from "../onnx/graph.ts";

/** A tensor of the file and the network's weights that lie in it, one after the other. */
export interface LayoutEntry {
  key: string;
  shape: readonly number[];
  parts: readonly { key: string; shape: readonly number[] }[];
  /** Whether the network has the two halves of the only part's rows in the other order. */
  isSwapped?: boolean;
}

/** What is known of a tensor, whatever the format of its file. */
export interface FileTensor {
  shape: readonly number[];
  /** Its element type, as the format calls it. */
  storedType: string;
}

/** Which element types can be read, and their names in messages. */
export interface Readable<Tensor> {
  test(tensor: Tensor): boolean;
  names: string;
}

/** The prefix that ComfyUI and stable-diffusion.cpp put before every key of a diffusion model. */
const DIFFUSION_PREFIX = "model.diffusion_model.";
/** Marks a key that lacks the others' prefix; no key of a layout begins with it. */
const OUTSIDE = "\0";

/** The prefix of every key in a file with these keys, or "". */
export const prefixOf = (keys: Iterable<string>): string =>
  [...keys].some((key) => key.startsWith(DIFFUSION_PREFIX)) ? DIFFUSION_PREFIX : "";

export class TensorFile<Tensor extends FileTensor = FileTensor> {
  readonly file: string;
  /** The prefix of the file's keys; the methods take keys without it. */
  readonly #prefix: string;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #readable: Readable<Tensor>;

  protected constructor(file: string, tensors: ReadonlyMap<string, Tensor>, readable: Readable<Tensor>) {
    this.file = file;
    this.#readable = readable;
    this.#prefix = prefixOf(tensors.keys());
    // A key without the others' prefix is not a weight of this network.
    const stripped = (key: string): string =>
      key.startsWith(this.#prefix) ? key.slice(this.#prefix.length) : `${OUTSIDE}${key}`;
    this.#tensors = new Map([...tensors].map(([key, tensor]) => [stripped(key), tensor]));
  }

  has(key: string): boolean {
    return this.#tensors.has(key);
  }

  /** A dimension of a tensor, for reading a network's sizes from its weights. */
  dimension(key: string, axis: number): number {
    const tensor = this.#tensors.get(key);
    if (!tensor) throw this.invalid(`lacks the weight ${this.named(key)}`);
    const dim = tensor.shape[axis];
    if (dim === undefined || dim === 0) {
      throw this.invalid(`has ${this.named(key)} in the shape ${showShape(tensor.shape)}, which has no use`);
    }
    return dim;
  }

  /** How many different numbers follow `prefix` in the keys: the number of blocks, if they are numbered from 0. */
  countBelow(prefix: string): number {
    const rest = [...this.#tensors.keys()].filter((key) => key.startsWith(`${prefix}.`));
    const indices = rest.map((key) => key.slice(prefix.length + 1).split(".")[0]!);
    return new Set(indices.filter((index) => /^\d+$/.test(index))).size;
  }

  /**
   * Finds the tensor of every entry.
   * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED for the first key that is missing, unknown, of
   * another shape or of a type that cannot be read
   */
  protected tensorsOf(layout: readonly LayoutEntry[]): { entry: LayoutEntry; tensor: Tensor }[] {
    const found = layout.map((entry) => ({ entry, tensor: this.#tensorOf(entry) }));
    this.#assertKnown(new Set(layout.map(({ key }) => key)));
    return found;
  }

  /** A key as it is in the file. */
  protected named(key: string): string {
    return key.startsWith(OUTSIDE) ? key.slice(OUTSIDE.length) : `${this.#prefix}${key}`;
  }

  protected invalid(what: string): RetouchError {
    return new RetouchError("CHECKPOINT_INVALID", `The weights file ${this.file} ${what}.`);
  }

  #tensorOf({ key, shape }: LayoutEntry): Tensor {
    const tensor = this.#tensors.get(key);
    if (!tensor) throw this.invalid(`lacks the weight ${this.named(key)} ${showShape(shape)}`);
    if (showShape(tensor.shape) !== showShape(shape)) {
      throw this.invalid(
        `has ${this.named(key)} in the shape ${showShape(tensor.shape)} where ${showShape(shape)} is wanted`,
      );
    }
    if (!this.#readable.test(tensor)) {
      throw new RetouchError(
        "CHECKPOINT_UNSUPPORTED",
        `The weights file ${this.file} stores ${this.named(key)} as ${tensor.storedType}; ${this.#readable.names} can be read.`,
      );
    }
    return tensor;
  }

  #assertKnown(known: ReadonlySet<string>): void {
    const unknown = [...this.#tensors.keys()].filter((key) => !known.has(key)).map((key) => this.named(key));
    if (unknown.length === 0) return;
    const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : "";
    throw this.invalid(`holds ${unknown.slice(0, 3).join(", ")}${more}, for which the network has no place`);
  }
}

export const elements = (shape: readonly number[]): number =>
  shape.reduce((product, dim) => product * dim, 1);
