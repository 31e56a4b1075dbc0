/**
 * What the environment of this process and of those that it starts must say. From version 1.29 on, onnxruntime collects
 * telemetry unasked on Linux and macOS: a device's id and a database in the user's cache folder, sent to a collector.
 * One variable keeps all of it off, where it stands in the process's environment before the runtime is loaded: later, or
 * in the copy of the environment that a worker thread has, it counts for nothing.
 */
import path from "node:path";
import { RetouchError } from "./errors.ts";

const VARIABLE = "ORT_DISABLE_TELEMETRY";
/** What the runtime takes for yes; all else, such as an empty value, leaves its telemetry on. */
const YES = /^\s*(?:1|true|yes|y|on)\s*$/i;
const RUNTIME_LIBRARY = /onnxruntime/i;

/** In the environment of every process that may load the runtime. */
export const TELEMETRY_OFF = { [VARIABLE]: "1" } as const;

/** What a process of this one's is started with: `defaults`, all that somebody set, and no telemetry in any case. */
export const childEnvironment = (defaults: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...defaults,
  ...process.env,
  ...TELEMETRY_OFF,
});

/**
 * Keeps the runtime's telemetry off in this process, whatever its environment said; called before the runtime is loaded.
 * Windows has none of its own: there the variable is set and nothing is refused.
 * @throws RetouchError CONFIG_INVALID where it is too late, or in a worker thread, which cannot set it
 */
export function keepTelemetryOff(platform: NodeJS.Platform = process.platform): void {
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
 * The environment that native code of this process sees, and whether a copy of the runtime is loaded, in whichever
 * thread and by whomever: Node's own report knows both. `process.env` knows the first in the main thread only.
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
  // Names of the peers of open connections would be looked up.
  report.excludeNetwork = true;
  report.excludeEnv = false;
  try {
    return report.getReport() as unknown as ProcessReport;
  } finally {
    Object.assign(report, { excludeNetwork, excludeEnv });
  }
}
