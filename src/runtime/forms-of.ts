/** What the kernels of each device can do, before a check has measured any of it. */
import { addsByteProducts } from "../machine/processor.ts";
import { ALL_FORMS, type KernelForms } from "../onnx/kernel-forms.ts";
import type { Device } from "./device-names.ts";

/**
 * WebGPU on any adapter: with the limits that the standard promises, 8 buffers in a shader (one of them read by a
 * `Split` or written by a `Concat`) of 128 MiB each.
 * onnxruntime 1.30's attention there suits only some adapters: on one whose subgroups have 4 lanes it is wrong without
 * an error from 32 queries on. Its convolutions are wrong without an error on all of them where the input channels are a
 * multiple of three, such as 6, but not of four, and the output channels a multiple of four.
 */
const WEBGPU: KernelForms = {
  attention: "written",
  convChannels: "fours",
  maxOutputs: 7,
  maxTensorBytes: 128 * 1024 ** 2,
  hasFloat16: false,
  byteProducts: "blocks",
};

let cpu: KernelForms | undefined;

/** Products of whole rows are right, and faster, where the processor adds up products of bytes. */
function cpuForms(): KernelForms {
  cpu ??= addsByteProducts() ? { ...ALL_FORMS, byteProducts: "rows" } : ALL_FORMS;
  return cpu;
}

export function formsOf(device: Device): KernelForms {
  if (device === "cpu") return cpuForms();
  return device === "webgpu" ? WEBGPU : ALL_FORMS;
}
