/** What devices are called. */

/** onnxruntime's names for its execution providers. */
export type Device = "cpu" | "cuda" | "webgpu" | "coreml" | "dml";
/** A device by name, or `auto`. */
export type DeviceChoice = Device | "auto";
/** What the option `device` accepts. */
export const DEVICE_CHOICES: readonly DeviceChoice[] = ["auto", "cpu", "cuda", "webgpu", "coreml", "dml"];
