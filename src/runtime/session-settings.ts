/** What the runtime is told when it loads a network. A device is tried with the same settings. */
import type { Device } from "./device-names.ts";
import type { Runtime } from "./onnxruntime.ts";

type RuntimeSettings = NonNullable<Parameters<Runtime["InferenceSession"]["create"]>[1]>;

export interface SettingsOptions {
  /** Threads per run; 0 leaves the choice to the runtime: one per physical core. */
  threads: number;
  /** @default "cpu" */
  device?: Device | undefined;
  /** The folder that the paths of the model's external data are relative to. */
  weightsFolder: string;
  /** Whether values that depend on weights alone, such as widened weights, are computed in every run, not just once. */
  isWideningDelayed?: boolean | undefined;
  /** Whether what a network works with goes back to the allocator after each run. @default false */
  isMemoryReturned?: boolean | undefined;
  /** Names of nodes that the CPU computes whatever the device. Only WebGPU can be told so. */
  hostNodes?: readonly string[] | undefined;
  /** Where the runtime writes what it ran, and where: the beginning of a file's path. @default nowhere */
  profilePrefix?: string | undefined;
  /** Whether a network is refused of which an operator would run on the CPU. @default false */
  isWhole?: boolean | undefined;
}

/**
 * Disables the optimisers that compute values from weights alone when a model is loaded: the general one, and the one
 * that widens 16-bit floats. With them, a network would take 4 bytes per weight of the process's memory instead of 2
 * bytes per weight of its file.
 */
const WITHOUT_FOLDING = {
  optimization: { disable_specified_optimizers: "ConstantFolding;FuseFp16InitializerToFp32NodeTransformer" },
};

export function sessionSettings(options: SettingsOptions): RuntimeSettings {
  const { weightsFolder, threads, device = "cpu", hostNodes = [], profilePrefix } = options;
  const { isWideningDelayed, isMemoryReturned, isWhole } = options;
  return {
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
    ...(profilePrefix !== undefined && { enableProfiling: true, profileFilePrefix: profilePrefix }),
    extra: {
      session: {
        model_external_initializers_file_folder_path: weightsFolder,
        ...(isWhole && { disable_cpu_ep_fallback: "1" }),
      },
      ...(isWideningDelayed && WITHOUT_FOLDING),
    },
  };
}
