/**
 * The devices that onnxruntime-node can compute on here, and which of them an engine uses. Whether a device is usable
 * is tried in a separate process: a provider prints, may crash, and loads a driver that may not be needed.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { invalid } from "../errors.ts";

export { COMPUTE_TYPES, type ComputeType } from "../onnx/dtype.ts";
import { buildModel, floats, input } from "../onnx/graph.ts";
import { add, conv2d } from "../onnx/ops.ts";
import { childEnvironment } from "../process-environment.ts";

/** onnxruntime's names for its execution providers. */
export type Device = "cpu" | "cuda" | "webgpu" | "coreml" | "dml";
export type DeviceChoice = Device | "auto";
export const DEVICE_CHOICES: readonly DeviceChoice[] = ["auto", "cpu", "cuda", "webgpu", "coreml", "dml"];

export interface ChosenDevice {
  readonly name: Device;
  /** Why this one, as shown in brackets after the name. */
  readonly reason: string;
  /** A sentence for the user if the CPU is used instead of an installed device. */
  readonly notice?: string | undefined;
}

export interface DeviceReport {
  device: Device;
  /** Whether this installation has the provider for it. */
  isInstalled: boolean;
  isUsable: boolean;
  /** Why it cannot be used, and what would help. */
  reason?: string | undefined;
}

/** The installation of onnxruntime-node; tests provide others. */
export interface Installation {
  platform: string;
  architecture: string;
  /** Its main module. */
  module: string;
  /** The folder of its libraries for this system. */
  libraryFolder: string;
}

const PROBE_TIMEOUT_MS = 60_000;
const MAX_REASON_CHARACTERS = 300;

/** The two files that onnxruntime loads CUDA from; they come from the PyPI package `onnxruntime-gpu`. */
export const CUDA_LIBRARIES = ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];
const HOW_TO_ADD_CUDA =
  "`npm run cuda` adds it, 247 MB from PyPI; CUDA 13 and cuDNN 9 must be there as well (docs/devices.md)";

/** Where onnxruntime-node 1.30.0 supports a device, apart from CUDA's files. */
const PLATFORMS: Readonly<Record<Device, { systems: readonly string[]; inWords: string }>> = {
  cpu: { systems: ["linux", "darwin", "win32"], inWords: "everywhere" },
  cuda: { systems: ["linux x64"], inWords: "on Linux on x64" },
  webgpu: { systems: ["linux x64", "darwin", "win32"], inWords: "on Linux on x64, macOS and Windows" },
  coreml: { systems: ["darwin"], inWords: "on macOS" },
  dml: { systems: ["win32"], inWords: "on Windows" },
};

/** What is missing if a library cannot be opened. */
const REMEDIES: readonly (readonly [library: RegExp, remedy: string])[] = [
  [/^libcuda\.so/, "it is part of the driver of an NVIDIA GPU"],
  [
    /^lib(?:cublas|cublasLt|cudart|curand)\.so/,
    "it is part of CUDA 13, which must be on the library path (docs/devices.md)",
  ],
  [/^libvulkan\.so/, "a Vulkan loader and the GPU's driver for it must be installed"],
];

export function thisInstallation(): Installation {
  const { platform, arch: architecture } = process;
  const module = createRequire(import.meta.url).resolve("onnxruntime-node");
  const libraryFolder = path.join(path.dirname(module), "..", "bin", "napi-v6", platform, architecture);
  return { platform, architecture, module, libraryFolder };
}

/**
 * Chooses an engine's device. `auto` uses CUDA if its provider was added and works, and the CPU otherwise. The results
 * of other devices have never been compared with the reference, so those are used only by name.
 * @throws RetouchError INVALID_PARAMETER for a device that cannot be used, saying what is missing
 */
export async function chooseDevice(
  choice: DeviceChoice,
  installation: Installation = thisInstallation(),
): Promise<ChosenDevice> {
  if (!DEVICE_CHOICES.includes(choice)) {
    const accepted = DEVICE_CHOICES.join(", ").replace(/, (?=[^,]*$)/, " or ");
    throw invalid("oneOf", { field: "device", choices: accepted, given: JSON.stringify(choice) });
  }
  if (choice === "cpu") return { name: "cpu", reason: "as asked" };
  const { device, isInstalled, isUsable, reason } = await examineDevice(
    choice === "auto" ? "cuda" : choice,
    installation,
  );
  if (choice !== "auto") {
    if (isUsable) return { name: device, reason: "as asked" };
    throw invalid("device", { field: "device", given: device, reason: String(reason) });
  }
  if (isUsable) return { name: "cuda", reason: "its provider is installed and works" };
  if (!isInstalled) return { name: "cpu", reason: "no other device is set up" };
  return {
    name: "cpu",
    reason: "CUDA cannot be used",
    notice: `CUDA is installed and cannot be used, so the processor computes: ${reason}.`,
  };
}

/** Every device, the CPU first. Takes a second or more, because whatever is installed is tried. */
export async function examineDevices(installation?: Installation): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  for (const device of DEVICE_CHOICES) {
    if (device !== "auto") reports.push(await examineDevice(device, installation));
  }
  return reports;
}

async function examineDevice(
  device: Device,
  installation: Installation = thisInstallation(),
): Promise<DeviceReport> {
  const missing = missingOf(device, installation);
  if (missing !== undefined) return { device, isInstalled: false, isUsable: false, reason: missing };
  const reason = device === "cpu" ? undefined : await probe(device, installation);
  return { device, isInstalled: true, isUsable: reason === undefined, reason };
}

/** Why this installation lacks a device, if it does. */
function missingOf(device: Device, installation: Installation): string | undefined {
  const { platform, architecture, libraryFolder } = installation;
  const { systems, inWords } = PLATFORMS[device];
  if (!systems.includes(platform) && !systems.includes(`${platform} ${architecture}`)) {
    return `onnxruntime-node has it ${inWords} only`;
  }
  const isThere = CUDA_LIBRARIES.every((name) => existsSync(path.join(libraryFolder, name)));
  return device === "cuda" && !isThere ? `its provider is not installed; ${HOW_TO_ADD_CUDA}` : undefined;
}

/** Runs the probe's graph on a device. What the process prints on standard error is the reason if it fails. */
const PROBE = `
const { InferenceSession, Tensor } = require(process.argv[1]);
const [device, model] = process.argv.slice(2);
InferenceSession.create(Buffer.from(model, "base64"), { executionProviders: [device] })
  .then((session) => session.run({ x: new Tensor("float32", [1, 2], [1, 1, 1, 2]) }))
  .then(({ sum }) => console.log(String(sum.data)));
`;

/**
 * Tries a device on a sum and on a convolution: CUDA's provider loads and adds without cuDNN, but the autoencoder's
 * convolutions need it.
 * @returns why it cannot be used, or undefined if it can
 */
export function probe(
  device: Device,
  { module }: Pick<Installation, "module">,
  timeoutMs: number = PROBE_TIMEOUT_MS,
): Promise<string | undefined> {
  const x = input("x", "float32", [1, 1, 1, 2]);
  const same = conv2d(x, floats([0, 0, 0, 0, 1, 0, 0, 0, 0], [1, 1, 3, 3]), undefined, {
    padding: [1, 1, 1, 1],
  });
  const model = Buffer.from(buildModel("probe", { sum: add(same, x) })).toString("base64");
  const options = { timeout: timeoutMs, killSignal: "SIGKILL", env: childEnvironment() } as const;
  return new Promise((resolve) => {
    execFile(process.execPath, ["--eval", PROBE, module, device, model], options, (error, stdout, stderr) => {
      if (error?.killed) resolve(`it does not answer within ${timeoutMs / 1000} s`);
      else if (error?.signal) resolve(`trying it ends with ${error.signal}`);
      else if (error) resolve(reasonIn(stderr));
      else resolve(stdout.trim() === "2,4" ? undefined : `it computes ${stdout.trim()} for 2,4`);
    });
  });
}

/** The reason in a process's output: the missing library if it names one, or else the error. */
export function reasonIn(output: string): string {
  const library = /(?<!\S)(\S+?): cannot open shared object file/.exec(output)?.[1];
  if (library !== undefined) {
    const name = path.basename(library);
    const remedy = REMEDIES.find(([pattern]) => pattern.test(name))?.[1];
    return `${name} cannot be loaded${remedy === undefined ? "" : `; ${remedy}`}`;
  }
  // The runtime's own errors begin with a location in its source.
  const error = /\bError: (.*)/.exec(output)?.[1]?.replace(/^\/\S+:\d+ .* was false\. /, "");
  const reason = (error ?? (output.trim() || "it ends without a word")).trimEnd().replace(/\.$/, "");
  return reason.slice(0, MAX_REASON_CHARACTERS);
}
