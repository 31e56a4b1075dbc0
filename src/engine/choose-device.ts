/** Which device an engine computes on, in which type and with which forms of its operators. */
import type { ComputeType } from "../onnx/dtype.ts";
import type { KernelForms } from "../onnx/kernel-forms.ts";
import {
  candidatesFor,
  type Device,
  type DeviceChoice,
  openDevice,
  type OpenDevice,
  unusable,
} from "../runtime/devices.ts";
import { type Installation, thisInstallation } from "../runtime/installation.ts";
import { type PassedTrial, type TriedNetwork, tryNetworks } from "./device-trial.ts";
import type { EditExtent } from "./extent.ts";

/** The device that an engine computes on, and why. */
export interface ChosenDevice {
  readonly name: Device;
  /** Why this one, as shown in brackets after the name. */
  readonly reason: string;
  /** The type that the transformer computes in. */
  readonly computeType: ComputeType;
  /** Absent on the CPU, which has every form. */
  readonly forms?: KernelForms | undefined;
  /** What the user should know, as sentences: why an installed device or half precision is not used. */
  readonly notices: readonly string[];
}

export interface DeviceOptions {
  /** @default what suits the device */
  computeType?: ComputeType | undefined;
  threads: number;
  installation?: Installation | undefined;
  /** Forms to use without trying which suit the device. */
  forms?: KernelForms | undefined;
}

/**
 * Chooses for a checkpoint's networks, once their weights are there.
 * @throws RetouchError INVALID_PARAMETER for a device that was asked for and computes them wrongly, with the numbers
 */
export type SettleDevice = (networks: readonly TriedNetwork[], usual: EditExtent) => Promise<ChosenDevice>;

const TITLES: Readonly<Record<Device, string>> = {
  cpu: "The processor",
  cuda: "CUDA",
  webgpu: "WebGPU",
  coreml: "CoreML",
  dml: "DirectML",
};

/** Loading a device's share of published weights takes minutes from a slow disk. */
const TIMEOUT_MS = 600_000;

/**
 * Refuses what cannot work, before weights are prepared. `auto` looks at the installed devices once the weights are
 * there, and takes the first whose numbers are right and that is faster than the CPU.
 * @throws RetouchError INVALID_PARAMETER for a device that cannot be used, saying what is missing
 */
export async function chooseDevice(choice: DeviceChoice, options: DeviceOptions): Promise<SettleDevice> {
  const { installation = thisInstallation() } = options;
  const candidates = candidatesFor(choice, installation);
  if (choice === "auto") {
    return remembering(choice, options, (networks, usual) =>
      settleAuto(candidates, networks, usual, options),
    );
  }
  const [device] = candidates;
  if (device === undefined) return async () => onCpu("as asked", options);
  const { process } = await opened(device, options);
  process.close();
  return remembering(choice, options, (networks, usual) => settleNamed(device, networks, usual, options));
}

const onCpu = (reason: string, { computeType = "float32" }: DeviceOptions): ChosenDevice => ({
  name: "cpu",
  reason,
  computeType,
  notices: [],
});

/** @throws RetouchError INVALID_PARAMETER with the reason */
async function opened(device: Device, { installation }: DeviceOptions): Promise<OpenDevice> {
  const found = await openDevice(device, installation, { timeoutMs: TIMEOUT_MS });
  if ("reason" in found) throw unusable(device, found.reason);
  return found;
}

async function settleNamed(
  device: Device,
  networks: readonly TriedNetwork[],
  usual: EditExtent,
  options: DeviceOptions,
): Promise<ChosenDevice> {
  const { process, adapter } = await opened(device, options);
  try {
    const found = await tryNetworks(process, networks, { ...options, usual, isTimed: false });
    if ("reason" in found) throw unusable(device, found.reason);
    return chosen(
      device,
      adapter?.isSoftware ? `as asked; in software, ${adapter.driver}` : "as asked",
      found,
    );
  } finally {
    process.close();
  }
}

/** The first candidate that passes and is faster than the CPU. */
async function settleAuto(
  candidates: readonly Device[],
  networks: readonly TriedNetwork[],
  usual: EditExtent,
  options: DeviceOptions,
): Promise<ChosenDevice> {
  const broken: [string, string][] = [];
  let reason = "no other device is set up";
  for (const device of candidates) {
    const found = await consider(device, networks, usual, options);
    if ("chosen" in found) return withNotices(found.chosen, broken);
    reason = `${TITLES[device]} ${found.passedOver}`;
    if (found.failure !== undefined) {
      broken.push([`${TITLES[device]} is installed and cannot be used`, found.failure]);
    }
  }
  return withNotices(onCpu(reason, options), broken);
}

type Considered =
  | { chosen: ChosenDevice }
  /** What follows the device's name, and why it does not work if that is so. */
  | { passedOver: string; failure?: string };

async function consider(
  device: Device,
  networks: readonly TriedNetwork[],
  usual: EditExtent,
  options: DeviceOptions,
): Promise<Considered> {
  const found = await openDevice(device, options.installation, { timeoutMs: TIMEOUT_MS });
  if ("reason" in found) return { passedOver: "cannot be used", failure: found.reason };
  const { process, adapter } = found;
  try {
    if (adapter?.isSoftware) {
      return { passedOver: `is software here, ${adapter.driver}, and used by name only` };
    }
    const passed = await tryNetworks(process, networks, { ...options, usual, isTimed: true });
    if ("reason" in passed) return { passedOver: "cannot be used", failure: passed.reason };
    const { timesAsFast = 0 } = passed;
    if (timesAsFast <= 1) return { passedOver: `was measured at ${timesAsFast.toFixed(2)} times its speed` };
    return { chosen: chosen(device, `${timesAsFast.toFixed(1)} times as fast as the processor`, passed) };
  } finally {
    process.close();
  }
}

/** @param broken devices that do not work, each followed by the reason */
function withNotices(device: ChosenDevice, broken: readonly [string, string][]): ChosenDevice {
  const instead = device.name === "cpu" ? "the processor computes" : `${TITLES[device.name]} computes`;
  const notices = broken.map(([what, why]) => `${what}, so ${instead}: ${why}.`);
  return { ...device, notices: [...notices, ...device.notices] };
}

const chosen = (
  name: Device,
  reason: string,
  { computeType, forms, notices }: PassedTrial,
): ChosenDevice => ({
  name,
  reason,
  computeType,
  forms,
  notices,
});

// ---- one trial per process

const settled = new Map<string, Promise<ChosenDevice>>();

/** Another engine of this process need not try the same networks again; a failure is tried again. */
function remembering(choice: DeviceChoice, options: DeviceOptions, settle: SettleDevice): SettleDevice {
  return (networks, usual) => {
    const { computeType, installation, forms } = options;
    const weights = networks.map(({ definition, weights: set }) => [definition.name, set.signature]);
    const key = JSON.stringify([choice, computeType, installation, forms, usual, weights]);
    const known = settled.get(key);
    if (known) return known;
    const settling = settle(networks, usual);
    settled.set(key, settling);
    settling.catch(() => settled.delete(key));
    return settling;
  };
}
