/** The only importer of onnxruntime-node, which is loaded when it is first needed, with its telemetry off. */
import { messageOf, RetouchError } from "../errors.ts";
import { keepTelemetryOff } from "../process-environment.ts";

export type Runtime = typeof import("onnxruntime-node");

let runtime: Runtime | undefined;

/**
 * Loads the runtime; later calls get the same.
 * @throws RetouchError CONFIG_INVALID where its telemetry cannot be kept off, RUNTIME_FAILED where it cannot be loaded
 */
export async function loadRuntime(): Promise<Runtime> {
  if (runtime !== undefined) return runtime;
  keepTelemetryOff();
  try {
    runtime = await import("onnxruntime-node");
    return runtime;
  } catch (cause) {
    throw new RetouchError("RUNTIME_FAILED", `onnxruntime cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}
