/**
 * The weights of the checker's network: one byte per number of a kernel, with one scale and one minimum. They are
 * computed here, not in the graph as for other networks: the runtime would take 0.2 s to fold 160 nodes away.
 */
import { RetouchError } from "../errors.ts";
import { constant, showShape, type Value } from "../onnx/graph.ts";
import { readSafetensorsHeader, type StoredTensor } from "../weights/safetensors.ts";
import { readSmallFile } from "../weights/small-file.ts";

interface WeightsFile {
  name: string;
  tensors: ReadonlyMap<string, StoredTensor>;
  bytes: Uint8Array;
}

/** A prefix of keys, mirroring the layers of the network. */
export class QuantizedWeights {
  readonly #file: WeightsFile;
  readonly #prefix: string;

  private constructor(file: WeightsFile, prefix: string) {
    this.#file = file;
    this.#prefix = prefix;
  }

  /** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID, naming the file */
  static async read(name: string): Promise<QuantizedWeights> {
    const tensors = await readSafetensorsHeader(name);
    return new QuantizedWeights({ name, tensors, bytes: await readSmallFile(name) }, "");
  }

  child(name: string): QuantizedWeights {
    return new QuantizedWeights(this.#file, this.#key(name));
  }

  /** minimum + scale * byte, for each byte. @throws RetouchError CHECKPOINT_INVALID, naming the key */
  kernel(shape: readonly number[]): Value {
    const bytes = this.#take("weight", "uint8", shape);
    const [scale, minimum] = ["scale", "minimum"].map((name) => this.#floats(name, [1])[0]!);
    const numberOf = Float32Array.from({ length: 256 }, (_, byte) => minimum! + scale! * byte);
    const numbers = new Float32Array(bytes.length);
    for (let index = 0; index < bytes.length; index += 1) numbers[index] = numberOf[bytes[index]!]!;
    return constant(numbers, shape);
  }

  /** One number per channel. @throws RetouchError CHECKPOINT_INVALID, naming the key */
  bias(count: number): Value {
    return constant(this.#floats("bias", [count]), [count]);
  }

  #floats(name: string, shape: readonly number[]): Float32Array {
    // Copied, because a view of floats must begin at a multiple of four.
    return new Float32Array(Uint8Array.from(this.#take(name, "float32", shape)).buffer);
  }

  #take(name: string, dtype: "uint8" | "float32", shape: readonly number[]): Uint8Array {
    const key = this.#key(name);
    const { tensors, bytes, name: file } = this.#file;
    const stored = tensors.get(key);
    if (stored?.dtype !== dtype || showShape(stored.shape) !== showShape(shape)) {
      const found = stored ? `${stored.storedType} ${showShape(stored.shape)}` : "missing";
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `In ${file}, the weight ${key} must be ${dtype} ${showShape(shape)} and is ${found}.`,
      );
    }
    return bytes.subarray(stored.byteOffset, stored.byteOffset + stored.byteLength);
  }

  #key(name: string): string {
    return this.#prefix === "" ? name : `${this.#prefix}.${name}`;
  }
}
