/** Speeds of devices that are not there. */
import type { MeasuredDevice } from "../../src/engine/measured-devices.ts";
import type { DeviceSpeed } from "../../src/runtime/device-speed.ts";

/** As the processor of docs/devices.md. */
export const CPU_SPEED: DeviceSpeed = {
  products: { float32: 150e9, int8: 359e9, int4: 342e9 },
  attention: { float32: 78e9 },
  convolutions: 120e9,
  runSeconds: 1e-4,
  failures: {},
};

export const CPU: MeasuredDevice = { device: "cpu", isInstalled: true, isUsable: true, speed: CPU_SPEED };
