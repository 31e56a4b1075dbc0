/** The only importer of onnxruntime-node, which is loaded on first use, with its telemetry off. */
import { messageOf, RetouchError } from "../errors.ts";
import { buildModel, input } from "../onnx/graph.ts";
import { relu } from "../onnx/ops.ts";
import { keepTelemetryOff } from "../process-environment.ts";

export type Runtime = typeof import("onnxruntime-node");

let loading: Promise<Runtime> | undefined;

/**
 * Loads the runtime; later calls get the same one, and a failed load is tried again.
 * @throws RetouchError CONFIG_INVALID if its telemetry cannot be turned off, RUNTIME_FAILED if it cannot be loaded
 */
export function loadRuntime(): Promise<Runtime> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** The runtime's version, such as "1.30.0". @throws as {@link loadRuntime} */
export async function runtimeVersion(): Promise<string> {
  return (await loadRuntime()).env.versions.node ?? "unknown";
}

async function load(): Promise<Runtime> {
  keepTelemetryOff();
  try {
    const runtime = await import("onnxruntime-node");
    // The first network fixes the setting for the process: setting the variable later cannot turn the telemetry on.
    const model = buildModel("first", { y: relu(input("x", "float32", [1])) });
    const first = await runtime.InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 4 });
    await first.release();
    return runtime;
  } catch (cause) {
    throw new RetouchError("RUNTIME_FAILED", `onnxruntime cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}
