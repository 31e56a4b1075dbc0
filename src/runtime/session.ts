/** Loads a model whose weights lie in files, and runs it. */
import { messageOf, RetouchError } from "../errors.ts";
import type { ComputeType } from "../onnx/dtype.ts";
import type { KernelForms } from "../onnx/kernel-forms.ts";
import type { Device } from "./devices.ts";
import { DeviceTensor, hasBuffers, type RuntimeTensor } from "./device-tensor.ts";
import { loadRuntime, type Runtime } from "./onnxruntime.ts";

/** Numbers and their shape, as a network receives and returns them; those of a `DeviceTensor` only networks can read. */
export interface Tensor {
  readonly data: Float32Array | BigInt64Array;
  readonly shape: readonly number[];
}

/** Bytes of the inputs and outputs of runs on a device with a memory of its own, added up. */
export interface Traffic {
  /** Inputs that travelled there. */
  up: number;
  /** Outputs that travelled back. */
  down: number;
  /** Inputs that were there already. */
  held: number;
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
  /** Where to count what travels. */
  traffic?: Traffic | undefined;
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
  /** Whether outputs stay on a device where they can, as tensors that must be freed. @default false */
  areOutputsHeld?: boolean | undefined;
  /** Names of nodes that the CPU computes whatever the device. Only WebGPU can be told so. */
  hostNodes?: readonly string[] | undefined;
}

/**
 * Disables the optimisers that compute values from weights alone when a model is loaded: the general one, and the one
 * that widens 16-bit floats. With them, a network would take 4 bytes per weight of the process's memory instead of 2
 * bytes per weight of its file.
 */
const WITHOUT_FOLDING = {
  optimization: { disable_specified_optimizers: "ConstantFolding;FuseFp16InitializerToFp32NodeTransformer" },
};

type RuntimeSession = Awaited<ReturnType<Runtime["InferenceSession"]["create"]>>;

export class Session {
  readonly #runtime: Runtime;
  readonly #session: RuntimeSession;
  readonly #options: SessionOptions;

  private constructor(runtime: Runtime, session: RuntimeSession, options: SessionOptions) {
    this.#runtime = runtime;
    this.#session = session;
    this.#options = options;
  }

  /**
   * Loads the bytes of an ONNX model.
   * @throws RetouchError RUNTIME_FAILED with the runtime's reason; as `loadRuntime` does
   */
  static async load(model: Uint8Array, options: SessionOptions): Promise<Session> {
    const { name, weightsFolder, threads, device = "cpu", isWideningDelayed = false } = options;
    const { isMemoryReturned = false, areOutputsHeld = false, hostNodes = [], profilePrefix } = options;
    const runtime = await loadRuntime();
    try {
      const session = await runtime.InferenceSession.create(model, {
        // Whatever the provider is, operators that it has no kernel for run on the CPU.
        executionProviders: [
          // It takes no empty list.
          device === "webgpu" && hostNodes.length > 0
            ? { name: device, forceCpuNodeNames: [...hostNodes] }
            : device,
        ],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        enableCpuMemArena: !isMemoryReturned,
        // With it, every run from the second on allocates all of its memory in one piece beside what the first one took.
        enableMemPattern: false,
        // Fatal only: every error is thrown as well, and a line on stderr would tell the user twice.
        logSeverityLevel: 4,
        ...(areOutputsHeld && hasBuffers(device) && { preferredOutputLocation: "gpu-buffer" }),
        ...(profilePrefix !== undefined && { enableProfiling: true, profileFilePrefix: profilePrefix }),
        extra: {
          session: { model_external_initializers_file_folder_path: weightsFolder },
          ...(isWideningDelayed && WITHOUT_FOLDING),
        },
      });
      return new Session(runtime, session, options);
    } catch (cause) {
      throw new RetouchError("RUNTIME_FAILED", `The network ${name} does not load: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  /**
   * Runs the network once.
   * @returns its float32 outputs by name
   */
  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    try {
      const feeds = mapped(inputs, (tensor) => this.#toRuntime(tensor));
      const outputs = mapped(await this.#session.run(feeds), fromRuntime);
      this.#count(inputs, outputs);
      return outputs;
    } catch (cause) {
      throw new RetouchError(
        "RUNTIME_FAILED",
        `The network ${this.#options.name} fails: ${messageOf(cause)}`,
        {
          cause,
        },
      );
    }
  }

  /** Frees the network's memory; the session cannot be used afterwards. */
  dispose(): Promise<void> {
    return this.#session.release();
  }

  #toRuntime(tensor: Tensor): RuntimeTensor {
    const { Tensor } = this.#runtime;
    if (tensor instanceof DeviceTensor) {
      // The CPU would take the buffer's handle for numbers.
      if (!hasBuffers(this.#options.device ?? "cpu")) throw new Error("An input is on another device.");
      return tensor.toRuntime(this.#runtime);
    }
    const { data, shape } = tensor;
    return data instanceof Float32Array
      ? new Tensor("float32", data, shape)
      : new Tensor("int64", data, shape);
  }

  #count(inputs: Readonly<Record<string, Tensor>>, outputs: Readonly<Record<string, Tensor>>): void {
    const { traffic, device = "cpu" } = this.#options;
    if (traffic === undefined || device === "cpu") return;
    for (const tensor of Object.values(inputs)) {
      if (tensor instanceof DeviceTensor) traffic.held += tensor.byteLength;
      else traffic.up += tensor.data.byteLength;
    }
    for (const tensor of Object.values(outputs)) {
      if (!(tensor instanceof DeviceTensor)) traffic.down += tensor.data.byteLength;
    }
  }
}

const fromRuntime = (value: RuntimeTensor): Tensor =>
  value.location === "gpu-buffer"
    ? new DeviceTensor(value)
    : { data: value.data as Float32Array, shape: value.dims };

const mapped = <From, To>(
  values: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
