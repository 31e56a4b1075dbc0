/**
 * What an edit holds on its device between runs. Numbers that every step reads travel to a GPU once, and what one network
 * computes for another does not travel at all. On the CPU, and on devices whose memory cannot be held, tensors stay what
 * they are.
 */
import { tmpdir } from "node:os";
import { buildModel, input, type Value } from "../onnx/graph.ts";
import { gather, identity } from "../onnx/ops.ts";
import { DeviceTensor, hasBuffers } from "./device-tensor.ts";
import { type RuntimeOptions, Session, type Tensor } from "./session.ts";

type Tensors<Name extends string = string> = Record<Name, Tensor>;

/** Networks of a single operator, loaded as long as there is memory to hold: buffers end with the last session. */
interface Tools {
  /** `x` [n] -> `y` [n]: an input of a run only travels, and an output can stay. */
  copy: Session;
  /** `rows` [n, m], `index` [1] -> `row` [1, m]. */
  row: Session;
}

export class DeviceMemory {
  readonly #tools: Tools | undefined;
  /** By the numbers that they are copies of. */
  readonly #copies = new Map<Float32Array, DeviceTensor>();
  readonly #held = new Set<DeviceTensor>();

  private constructor(tools: Tools | undefined) {
    this.#tools = tools;
  }

  /** @throws RetouchError RUNTIME_FAILED */
  static async open({ device = "cpu", threads, traffic }: RuntimeOptions): Promise<DeviceMemory> {
    if (!hasBuffers(device)) return new DeviceMemory(undefined);
    const shared = { weightsFolder: tmpdir(), device, threads, traffic, areOutputsHeld: true };
    const load = (name: string, outputs: Record<string, Value>): Promise<Session> =>
      Session.load(buildModel(name, outputs), { name, ...shared });
    const rows = input("rows", "float32", ["n", "m"]);
    return new DeviceMemory({
      copy: await load("copy", { y: identity(input("x", "float32", ["n"])) }),
      row: await load("row", { row: gather(rows, input("index", "int64", [1])) }),
    });
  }

  /** Bytes that are held; 0 where nothing can be. */
  get heldBytes(): number {
    return [...this.#held].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /**
   * Copies tensors to the device, to be read by any number of runs until they are freed. The same array is copied once,
   * so its numbers must not change.
   */
  async hold<Name extends string>(tensors: Readonly<Tensors<Name>>): Promise<Tensors<Name>> {
    if (this.#tools === undefined) return tensors;
    const held: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries<Tensor>(tensors)) held[name] = await this.#copied(tensor);
    return held as Tensors<Name>;
  }

  /** What a run returned: what stayed on the device is held from now on. */
  adopt<Name extends string>(tensors: Tensors<Name>): Tensors<Name> {
    for (const tensor of Object.values<Tensor>(tensors)) {
      if (tensor instanceof DeviceTensor) this.#held.add(tensor);
    }
    return tensors;
  }

  /** The rows [m] of a tensor [n, m], wherever it is. They take its place: it is freed. */
  async rows(tensor: Tensor): Promise<Tensor[]> {
    const [count, size] = tensor.shape as [number, number];
    if (!(tensor instanceof DeviceTensor)) {
      const { data } = tensor;
      return Array.from({ length: count }, (_, row) => ({
        data: data.subarray(row * size, (row + 1) * size),
        shape: [size],
      }));
    }
    if (count === 1) return [tensor.reshaped([size])];
    const rows: Tensor[] = [];
    for (let index = 0; index < count; index += 1) {
      const inputs = { rows: tensor, index: { data: BigInt64Array.of(BigInt(index)), shape: [1] } };
      const { row } = this.adopt(await this.#tools!.row.run(inputs));
      rows.push((row as DeviceTensor).reshaped([size]));
    }
    this.#held.delete(tensor);
    tensor.free();
    return rows;
  }

  /** Frees everything that is held. */
  free(): void {
    for (const tensor of this.#held) tensor.free();
    this.#held.clear();
    this.#copies.clear();
  }

  /** After the last run of the networks that read it. */
  async dispose(): Promise<void> {
    this.free();
    await this.#tools?.copy.dispose();
    await this.#tools?.row.dispose();
  }

  async #copied(tensor: Tensor): Promise<Tensor> {
    if (tensor instanceof DeviceTensor) return tensor;
    const { data, shape } = tensor;
    // Nothing travels of an empty one; token ids are read once.
    if (data.length === 0 || !(data instanceof Float32Array)) return tensor;
    const known = this.#copies.get(data);
    if (known !== undefined) return known.reshaped(shape);
    const { y } = this.adopt(await this.#tools!.copy.run({ x: { data, shape: [data.length] } }));
    const copy = y as DeviceTensor;
    this.#copies.set(data, copy);
    return copy.reshaped(shape);
  }
}
