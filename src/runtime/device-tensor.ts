/** Numbers in the memory of a GPU. */
import type { Device } from "./devices.ts";
import type { Runtime } from "./onnxruntime.ts";
import type { Tensor } from "./session.ts";

export type RuntimeTensor = InstanceType<Runtime["Tensor"]>;

/** onnxruntime-node 1.30.0 has buffers of WebGPU's, and knows no memory of CUDA, DirectML or CoreML. */
export const hasBuffers = (device: Device): boolean => device === "webgpu";

/**
 * A float32 tensor that networks of one device read where it is; nothing else can. Its memory outlives the object, so it
 * must be freed; and it ends with the last session of the device, before which it must be freed.
 */
export class DeviceTensor implements Tensor {
  readonly shape: readonly number[];
  readonly #buffer: { tensor: RuntimeTensor | undefined };

  constructor(tensor: RuntimeTensor);
  constructor(whole: DeviceTensor, shape: readonly number[]);
  constructor(from: RuntimeTensor | DeviceTensor, shape?: readonly number[]) {
    this.shape = shape ?? (from as RuntimeTensor).dims;
    this.#buffer = from instanceof DeviceTensor ? from.#buffer : { tensor: from };
  }

  /** @throws Error always: it would have to travel */
  get data(): never {
    throw new Error("These numbers are on the device.");
  }

  get byteLength(): number {
    return 4 * this.shape.reduce((product, dim) => product * dim, 1);
  }

  /** The same numbers in another shape; they are freed together. */
  reshaped(shape: readonly number[]): DeviceTensor {
    return new DeviceTensor(this, shape);
  }

  /** An input of a run. @throws Error if it is freed: the runtime would read memory that is no longer its own */
  toRuntime({ Tensor }: Runtime): RuntimeTensor {
    const { tensor } = this.#buffer;
    if (tensor === undefined) throw new Error("A tensor is used that is freed.");
    return Tensor.fromGpuBuffer(tensor.gpuBuffer, { dataType: "float32", dims: this.shape });
  }

  /** May be called again. */
  free(): void {
    this.#buffer.tensor?.dispose();
    this.#buffer.tensor = undefined;
  }
}
