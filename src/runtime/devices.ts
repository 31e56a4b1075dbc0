/**
 * The devices that onnxruntime-node can compute on here. Whether a device is usable is tried in a process of its own;
 * whether it computes a checkpoint's networks as the CPU does is the engine's question (`engine/device-trial.ts`).
 */
import { invalid } from "../errors.ts";
import { buildModel, floats, input } from "../onnx/graph.ts";
import { add, conv2d } from "../onnx/ops.ts";
import { DEVICE_CHOICES, type Device, type DeviceChoice } from "./device-names.ts";
import { DeviceProcess, type DeviceProcessOptions, TrialError } from "./device-process.ts";
import { type Installation, mayHaveGpu, missingOf, thisInstallation } from "./installation.ts";

export { COMPUTE_TYPES, type ComputeType } from "../onnx/dtype.ts";
export { DEVICE_CHOICES, type Device, type DeviceChoice };

/** What a device computes on, as far as its process tells. */
export interface Adapter {
  /** The file of its driver, such as `libvk_swiftshader.so`. */
  driver: string;
  /** Whether it is the processor in the guise of a GPU. */
  isSoftware: boolean;
}

/** Whether a device can be used on this machine, and if not, why. */
export interface DeviceReport {
  device: Device;
  /** Whether this installation has the provider for it. */
  isInstalled: boolean;
  isUsable: boolean;
  /** Why it cannot be used, and what would help. */
  reason?: string | undefined;
  adapter?: Adapter | undefined;
}

/** A device that works, in a process that goes on to try more on it. */
export interface OpenDevice {
  process: DeviceProcess;
  adapter?: Adapter | undefined;
}

/** In the order in which `auto` tries them. */
const HARDWARE: readonly Device[] = ["cuda", "webgpu", "coreml", "dml"];

/**
 * The devices that a choice may lead to, in the order in which they are tried; none for the CPU. `auto` tries whatever
 * is installed, if there may be a GPU.
 * @throws RetouchError INVALID_PARAMETER for a name that is none, and for a device that is not installed
 */
export function candidatesFor(
  choice: DeviceChoice,
  installation: Installation = thisInstallation(),
): readonly Device[] {
  if (!DEVICE_CHOICES.includes(choice)) {
    const accepted = DEVICE_CHOICES.join(", ").replace(/, (?=[^,]*$)/, " or ");
    throw invalid("oneOf", { field: "device", choices: accepted, given: JSON.stringify(choice) });
  }
  if (choice === "cpu") return [];
  if (choice === "auto") {
    const installed = HARDWARE.filter((device) => missingOf(device, installation) === undefined);
    // CUDA was added for a GPU: if it finds none, that is worth a sentence.
    return mayHaveGpu(installation) ? installed : installed.filter((device) => device === "cuda");
  }
  const missing = missingOf(choice, installation);
  if (missing !== undefined) throw unusable(choice, missing);
  return [choice];
}

/** A refusal of a device that was asked for. @param reason what follows "cannot be used: " */
export const unusable = (device: Device, reason: string): Error =>
  invalid("device", { field: "device", given: device, reason });

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
  if (device === "cpu") return { device, isInstalled: true, isUsable: true };
  const opened = await openDevice(device, installation);
  if ("reason" in opened) return { device, isInstalled: true, isUsable: false, reason: opened.reason };
  opened.process.close();
  return { device, isInstalled: true, isUsable: true, adapter: opened.adapter };
}

/**
 * Tries a device on a sum and on a convolution: CUDA's provider loads and adds without cuDNN, but the autoencoder's
 * convolutions need it.
 * @returns why it cannot be used, or its process, which the caller closes
 */
export async function openDevice(
  device: Device,
  installation: Installation = thisInstallation(),
  options: DeviceProcessOptions = {},
): Promise<OpenDevice | { reason: string }> {
  const process = new DeviceProcess(device, installation, options);
  try {
    const x = input("x", "float32", [1, 1, 1, 2]);
    const same = conv2d(x, floats([0, 0, 0, 0, 1, 0, 0, 0, 0], [1, 1, 3, 3]), undefined, {
      padding: [1, 1, 1, 1],
    });
    const model = buildModel("probe", { sum: add(same, x) });
    const inputs = { x: { data: Float32Array.of(1, 2), shape: [1, 1, 1, 2] } };
    const { outputs } = await process.run({ model, inputs });
    const sum = String(outputs["sum"]);
    if (sum !== "2,4") throw new TrialError(`it computes ${sum} for 2,4`);
    return { process, adapter: adapterOf(await process.libraries()) };
  } catch (error) {
    process.close();
    if (error instanceof TrialError) return { reason: error.message };
    throw error;
  }
}

/** Drivers of GPUs that are the processor: SwiftShader, Mesa's lavapipe and Microsoft's WARP. */
const SOFTWARE = /^(?:lib)?vk_swiftshader\.|^libvulkan_lvp\.|^d3d10warp\.dll$/i;
/** Drivers of GPUs for Vulkan, CUDA and Direct3D. */
const HARDWARE_DRIVER =
  /^libvulkan_(?!lvp)\w+\.|^libGLX_nvidia\.|^libcuda\.|^amdvlk|^nv(?:wgf2um|oglv|ldumd)|^(?:ati|amd)dx[cx]?\w*64\.dll$|^amdxc|^igd\w+\.dll$/i;

/**
 * The adapter, by the libraries of a process that has computed on it. The loader opens every driver to ask for its
 * adapters, and a GPU is taken before the processor; so only a driver of software without any other means software.
 */
export function adapterOf(libraries: readonly string[]): Adapter | undefined {
  const names = libraries.map((file) =>
    file.slice(Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1),
  );
  const hardware = names.find((name) => HARDWARE_DRIVER.test(name));
  if (hardware !== undefined) return { driver: hardware, isSoftware: false };
  const software = names.find((name) => SOFTWARE.test(name));
  return software === undefined ? undefined : { driver: software, isSoftware: true };
}
