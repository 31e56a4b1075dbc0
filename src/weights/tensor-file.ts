/**
 * The tensors of one network in a single file, whose keys may not be the network's own, such as those of the original
 * FLUX.1 repository, ComfyUI and llama.cpp. A layout says which rows of which tensor are which weight.
 */
import { RetouchError } from "../errors.ts";
import { showShape } from "../onnx/graph.ts";
import {
  type FileNetwork,
  layoutOf,
  mismatchOf,
  otherFileOf,
  packingOf,
  splitKey,
  unknownPrefixOf,
  type Wanted,
} from "./network-keys.ts";

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

/** Marks a key that lacks the others' prefix; no key of a layout begins with it. */
const OUTSIDE = "\0";
const SHOWN_KEYS = 3;

export class TensorFile<Tensor extends FileTensor = FileTensor> {
  readonly file: string;
  readonly #wanted: Wanted;
  /** The network's tensors by their keys without its prefix, and what has no known prefix where others have one. */
  protected readonly tensors: ReadonlyMap<string, Tensor>;
  /** What their keys are in the file. */
  readonly #names: ReadonlyMap<string, string>;
  /** The prefix of most of them. */
  readonly #prefix: string;
  readonly #held: readonly FileNetwork[];
  /** What the whole file is, if it is no network. */
  readonly #other: string | undefined;
  readonly #readable: Readable<Tensor>;

  /** @param wanted of a file of several networks, only the keys of this one are looked at */
  protected constructor(
    file: string,
    wanted: Wanted,
    tensors: ReadonlyMap<string, Tensor>,
    readable: Readable<Tensor>,
  ) {
    this.file = file;
    const { network, known } = wanted;
    this.#wanted = wanted;
    this.#readable = readable;
    const split = [...tensors].map(([name, tensor]) => ({ name, tensor, of: splitKey(name, known) }));
    this.#held = [...new Set(split.flatMap(({ of }) => of.network ?? []))];
    this.#other = otherFileOf(split.map(({ name, of }) => name.slice(of.prefix.length)));
    const own = split.filter(({ of }) => of.network === network || of.network === undefined);
    const present = new Set(own.map(({ of }) => of.prefix));
    this.#prefix = network.prefixes.find((prefix) => present.has(prefix)) ?? "";
    const keyOf = ({ name, of }: (typeof own)[number]): string =>
      this.#held.length > 0 && of.prefix === "" ? `${OUTSIDE}${name}` : name.slice(of.prefix.length);
    this.tensors = new Map(own.map((one) => [keyOf(one), one.tensor]));
    this.#names = new Map(own.map((one) => [keyOf(one), one.name]));
    const hidden = own.find((one) => this.#names.get(keyOf(one)) !== one.name);
    if (hidden)
      throw this.invalid(`has ${hidden.name} and ${this.#names.get(keyOf(hidden))}, which are one weight`);
  }

  has(key: string): boolean {
    return this.tensors.has(key);
  }

  /** Whether the wanted network is in it. */
  get isHeld(): boolean {
    const { network, known } = this.#wanted;
    return layoutOf([...this.tensors.keys()], known)?.network === network;
  }

  /**
   * The name of the layout that the wanted network's weights have.
   * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, saying what the file is instead
   */
  layout(): string {
    const keys = [...this.tensors.keys()];
    const packing = packingOf(keys);
    if (packing !== undefined) {
      throw new RetouchError(
        "CHECKPOINT_UNSUPPORTED",
        `The weights file ${this.file} has its matrices packed as ${packing}; ${this.#readable.names} can be read.`,
      );
    }
    const { network, known } = this.#wanted;
    const wanted = network.text;
    if (this.#other !== undefined) throw this.invalid(`is ${this.#other}, and ${wanted} is wanted`);
    if (this.#held.length > 0 && !this.#held.includes(network)) {
      const held = this.#held.map(({ text }) => text).join(" and ");
      throw this.invalid(`holds ${held}, and ${wanted} is wanted`);
    }
    const layout = layoutOf(keys, known);
    if (layout !== undefined) {
      const mismatch = mismatchOf(layout, this.#wanted);
      if (mismatch === undefined) return layout.name;
      throw this.invalid(mismatch);
    }
    const unknown = unknownPrefixOf(keys, known);
    if (unknown !== undefined) {
      throw this.invalid(
        `has the keys of ${unknown.layout.network.text} under the prefix ${unknown.prefix}, which is not known`,
      );
    }
    throw this.invalid(`is not known as ${wanted}: it holds ${this.#shown(keys)}`);
  }

  /** A dimension of a tensor, for reading a network's sizes from its weights. */
  dimension(key: string, axis: number): number {
    const tensor = this.tensors.get(key);
    if (!tensor) throw this.invalid(`lacks the weight ${this.named(key)}`);
    const dim = tensor.shape[axis];
    if (dim === undefined || dim === 0) {
      throw this.invalid(`has ${this.named(key)} in the shape ${showShape(tensor.shape)}, which has no use`);
    }
    return dim;
  }

  /** How many different numbers follow `prefix` in the keys: the number of blocks, if they are numbered from 0. */
  countBelow(prefix: string): number {
    const rest = [...this.tensors.keys()].filter((key) => key.startsWith(`${prefix}.`));
    const indices = rest.map((key) => key.slice(prefix.length + 1).split(".")[0]!);
    return new Set(indices.filter((index) => /^\d+$/.test(index))).size;
  }

  /** The layout of a file that has the network's own keys. */
  ownLayout(): LayoutEntry[] {
    return [...this.tensors]
      .filter(([key]) => !this.#isUnused(key))
      .map(([key, { shape }]) => ({ key, shape, parts: [{ key, shape }] }));
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

  /** A key as it is in the file, or would be. */
  protected named(key: string): string {
    return this.#names.get(key) ?? `${this.#prefix}${key}`;
  }

  protected invalid(what: string): RetouchError {
    return new RetouchError("CHECKPOINT_INVALID", `The weights file ${this.file} ${what}.`);
  }

  #tensorOf({ key, shape }: LayoutEntry): Tensor {
    const tensor = this.tensors.get(key);
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
    const unknown = [...this.tensors.keys()].filter((key) => !known.has(key) && !this.#isUnused(key));
    if (unknown.length === 0) return;
    throw this.invalid(`holds ${this.#shown(unknown)}, for which the network has no place`);
  }

  #isUnused(key: string): boolean {
    return this.#wanted.network.unused?.test(key) ?? false;
  }

  #shown(keys: readonly string[]): string {
    const shown = keys.slice(0, SHOWN_KEYS).map((key) => this.named(key));
    const more = keys.length - shown.length;
    return `${shown.join(", ") || "nothing"}${more > 0 ? ` and ${more} more` : ""}`;
  }
}

export const elements = (shape: readonly number[]): number =>
  shape.reduce((product, dim) => product * dim, 1);
