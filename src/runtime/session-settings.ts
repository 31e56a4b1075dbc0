/** What the runtime is told when it loads a network. A device is tried with the same settings. */
import { hasBuffers } from "./device-tensor.ts";
import type { Runtime } from "./onnxruntime.ts";
import type { SettingsOptions } from "./settings-options.ts";

type RuntimeSettings = NonNullable<Parameters<Runtime["InferenceSession"]["create"]>[1]>;

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
  const { isWideningDelayed, isMemoryReturned, areOutputsHeld, isWhole } = options;
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
    ...(areOutputsHeld && hasBuffers(device) && { preferredOutputLocation: "gpu-buffer" }),
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
