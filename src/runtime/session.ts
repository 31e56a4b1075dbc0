/** Loads a model whose weights lie in files, and runs it. */
import { messageOf, RetouchError } from "../errors.ts";
import type { ComputeType } from "../onnx/dtype.ts";
import type { KernelForms } from "../onnx/kernel-forms.ts";
import type { InputShapes } from "../onnx/tensor-sizes.ts";
import type { Device } from "./device-names.ts";
import { loadRuntime, type Runtime } from "./onnxruntime.ts";
import { sessionSettings } from "./session-settings.ts";

/** Numbers and their shape, as a network receives and returns them. */
export interface Tensor {
  data: Float32Array | BigInt64Array;
  shape: readonly number[];
}

/** How networks run, the same for all of an engine's networks. */
export interface RuntimeOptions {
  /** Threads per run; 0 leaves the choice to the runtime: one per physical core. */
  threads: number;
  /** @default "cpu" */
  device?: Device | undefined;
  /** What the device's kernels can do. @default what is known of them unmeasured (`forms-of.ts`) */
  forms?: KernelForms | undefined;
  /**
   * The type the transformer computes in. The CPU has no kernels for bfloat16, and is slower in float16.
   * @default "float32"
   */
  computeType?: ComputeType | undefined;
  /**
   * Whether what a network works with goes back to the allocator after each run instead of being kept for the next.
   * @default false
   */
  isMemoryReturned?: boolean | undefined;
  /**
   * Beginning of the name of a file in which the runtime writes, when a network is released, where each of its operators
   * ran and for how long. @default none is written
   */
  profilePrefix?: string | undefined;
}

export interface SessionOptions extends RuntimeOptions {
  /** What an error calls this network. */
  name: string;
  /** The folder that the paths of the model's external data are relative to. */
  weightsFolder: string;
  /** Whether values that depend on weights alone, such as widened weights, are computed in every run, not just once. */
  isWideningDelayed?: boolean | undefined;
  /** Names of nodes that the CPU computes whatever the device. Only WebGPU can be told so. */
  hostNodes?: readonly string[] | undefined;
  /** Refuses shapes of inputs that the device cannot compute with. */
  checkShapes?: ((shapes: InputShapes) => void) | undefined;
}

type RuntimeSession = Awaited<ReturnType<Runtime["InferenceSession"]["create"]>>;
type RuntimeTensor = InstanceType<Runtime["Tensor"]>;

export class Session {
  readonly #runtime: Runtime;
  readonly #session: RuntimeSession;
  readonly #name: string;
  readonly #checkShapes: SessionOptions["checkShapes"];

  private constructor(
    runtime: Runtime,
    session: RuntimeSession,
    { name, checkShapes }: Pick<SessionOptions, "name" | "checkShapes">,
  ) {
    this.#runtime = runtime;
    this.#session = session;
    this.#name = name;
    this.#checkShapes = checkShapes;
  }

  /**
   * Loads the bytes of an ONNX model.
   * @throws RetouchError RUNTIME_FAILED with the runtime's reason; as `loadRuntime` does
   */
  static async load(model: Uint8Array, options: SessionOptions): Promise<Session> {
    const { name } = options;
    const runtime = await loadRuntime();
    try {
      const session = await runtime.InferenceSession.create(model, sessionSettings(options));
      return new Session(runtime, session, options);
    } catch (cause) {
      throw new RetouchError("RUNTIME_FAILED", `The network ${name} does not load: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  /**
   * Runs the network once.
   * @returns its float32 outputs by name.
   * @throws RetouchError RUNTIME_FAILED; MEMORY_INSUFFICIENT for a tensor that the device has no room for
   */
  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    this.#checkShapes?.(Object.fromEntries(Object.entries(inputs).map(([key, { shape }]) => [key, shape])));
    try {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([key, tensor]) => [key, toRuntime(this.#runtime, tensor)]),
      );
      const outputs = await this.#session.run(feeds);
      return Object.fromEntries(
        Object.entries(outputs).map(([key, value]) => [
          key,
          { data: value.data as Float32Array, shape: value.dims },
        ]),
      );
    } catch (cause) {
      throw new RetouchError("RUNTIME_FAILED", `The network ${this.#name} fails: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  /** Frees the network's memory; the session cannot be used afterwards. */
  dispose(): Promise<void> {
    return this.#session.release();
  }
}

function toRuntime({ Tensor }: Runtime, { data, shape }: Tensor): RuntimeTensor {
  return data instanceof Float32Array ? new Tensor("float32", data, shape) : new Tensor("int64", data, shape);
}
