/**
 * What the environment of this process and its child processes must contain. Since version 1.29, onnxruntime collects
 * telemetry by default on Linux and macOS: it keeps a device ID and a database in the user's cache folder and sends
 * them to a collector. One variable turns all of that off, but only if it is set in the process's environment before
 * the runtime is loaded. Setting it later, or in a worker thread's copy of the environment, has no effect.
 */
import path from "node:path";
import { isMainThread } from "node:worker_threads";
import { RetouchError } from "./errors.ts";

const VARIABLE = "ORT_DISABLE_TELEMETRY";
/** What the runtime reads as yes; anything else, such as an empty value, leaves its telemetry on. */
const YES = /^\s*(?:1|true|yes|y|on)\s*$/i;
const RUNTIME_LIBRARY = /onnxruntime/i;

/** Set in the environment of every process that may load the runtime. */
export const TELEMETRY_OFF = { [VARIABLE]: "1" } as const;

/** The environment for a child process: `defaults`, then everything set here, and always no telemetry. */
export const childEnvironment = (defaults: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...defaults,
  ...process.env,
  ...TELEMETRY_OFF,
});

/**
 * Turns the runtime's telemetry off in this process, whatever its environment said. Call it before the runtime is
 * loaded. On Windows the runtime has no telemetry of its own: the variable is set, and nothing is refused.
 * @throws RetouchError CONFIG_INVALID if it is too late, or in a worker thread, which cannot set the variable
 */
export function keepTelemetryOff(platform: NodeJS.Platform = process.platform): void {
  // The main thread's is the environment that native code sees; a report takes hundredths of a second.
  if (isMainThread && YES.test(process.env[VARIABLE] ?? "")) return;
  const before = inspectProcess();
  if (before.isTelemetryOff) return;
  const isRefused = platform !== "win32";
  if (before.isRuntimeLoaded && isRefused) {
    throw refusal("onnxruntime was loaded by another part of this program, and its telemetry may be on");
  }
  process.env[VARIABLE] = "1";
  if (!inspectProcess().isTelemetryOff && isRefused) {
    throw refusal("A worker thread cannot keep the telemetry of onnxruntime off");
  }
}

const refusal = (what: string): RetouchError =>
  new RetouchError("CONFIG_INVALID", `${what}: start the process with ${VARIABLE}=1 in its environment.`);

interface ProcessReport {
  environmentVariables?: Record<string, string>;
  sharedObjects: string[];
}

/**
 * The environment that native code in this process sees, and whether a copy of the runtime is loaded, in any thread
 * and by any caller. Node's own report knows both; `process.env` shows the real environment in the main thread only.
 */
function inspectProcess(): { isTelemetryOff: boolean; isRuntimeLoaded: boolean } {
  const { environmentVariables = {}, sharedObjects } = processReport();
  return {
    isTelemetryOff: YES.test(environmentVariables[VARIABLE] ?? ""),
    isRuntimeLoaded: sharedObjects.some((file) => RUNTIME_LIBRARY.test(path.basename(file))),
  };
}

function processReport(): ProcessReport {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean; excludeEnv?: boolean };
  const { excludeNetwork, excludeEnv } = report;
  // Otherwise the report looks up the peer names of open connections.
  report.excludeNetwork = true;
  report.excludeEnv = false;
  try {
    return report.getReport() as unknown as ProcessReport;
  } finally {
    Object.assign(report, { excludeNetwork, excludeEnv });
  }
}
