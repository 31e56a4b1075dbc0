/** Loads a model whose weights lie in files, and runs it. */
import { messageOf, RetouchError } from "../errors.ts";
import type { ComputeType } from "../onnx/dtype.ts";
import type { Device } from "./devices.ts";
import { loadRuntime, type Runtime } from "./onnxruntime.ts";

/** Numbers and their shape, as they enter and leave a network. */
export interface Tensor {
  data: Float32Array | BigInt64Array;
  shape: readonly number[];
}

/** How networks run, the same for all of an engine. */
export interface RuntimeOptions {
  /** Threads of one run; 0 leaves the choice to the runtime: one a physical core. */
  threads: number;
  /** @default "cpu" */
  device?: Device | undefined;
  /**
   * What the transformer computes in. The processor has no kernels for bfloat16, and is slower in float16.
   * @default "float32"
   */
  computeType?: ComputeType | undefined;
}

export interface SessionOptions extends RuntimeOptions {
  /** What an error calls this network. */
  name: string;
  /** The folder that the model's external data is relative to. */
  weightsFolder: string;
  /** Whether what follows from weights alone, such as their widening, is computed in every run instead of once. */
  isWideningDelayed?: boolean | undefined;
}

/**
 * Leaves out the optimisers that compute what follows from weights alone when a model is loaded: the general one, and one
 * that widens 16-bit floats, where a network would take 4 bytes a weight of the process's memory instead of 2 of its file.
 */
const WITHOUT_FOLDING = {
  optimization: { disable_specified_optimizers: "ConstantFolding;FuseFp16InitializerToFp32NodeTransformer" },
};

type RuntimeSession = Awaited<ReturnType<Runtime["InferenceSession"]["create"]>>;
type RuntimeTensor = InstanceType<Runtime["Tensor"]>;

export class Session {
  readonly #runtime: Runtime;
  readonly #session: RuntimeSession;
  readonly #name: string;

  private constructor(runtime: Runtime, session: RuntimeSession, name: string) {
    this.#runtime = runtime;
    this.#session = session;
    this.#name = name;
  }

  /**
   * Loads the bytes of an ONNX model.
   * @throws RetouchError RUNTIME_FAILED with the runtime's reason; as `loadRuntime` does
   */
  static async load(model: Uint8Array, options: SessionOptions): Promise<Session> {
    const { name, weightsFolder, threads, device = "cpu", isWideningDelayed = false } = options;
    const runtime = await loadRuntime();
    try {
      const session = await runtime.InferenceSession.create(model, {
        // What a provider has no kernel for runs on the processor, whichever it is.
        executionProviders: [device],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        // Fatal only: every error is thrown as well, and a line on stderr would tell the user twice.
        logSeverityLevel: 4,
        extra: {
          session: { model_external_initializers_file_folder_path: weightsFolder },
          ...(isWideningDelayed && WITHOUT_FOLDING),
        },
      });
      return new Session(runtime, session, name);
    } catch (cause) {
      throw new RetouchError("RUNTIME_FAILED", `The network ${name} does not load: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  /**
   * Runs the network once.
   * @returns its float32 outputs by name.
   */
  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
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
