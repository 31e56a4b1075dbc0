/** What devices are called. */

/** onnxruntime's names for its execution providers. */
export type Device = "cpu" | "cuda" | "webgpu" | "coreml" | "dml";
export type DeviceChoice = Device | "auto";
export const DEVICE_CHOICES: readonly DeviceChoice[] = ["auto", "cpu", "cuda", "webgpu", "coreml", "dml"];
