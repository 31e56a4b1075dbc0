/** The software device without its trial, which takes longer than an edit. */
import type { SettleDevice } from "../../src/engine/choose-device.ts";
import type { KernelForms } from "../../src/onnx/kernel-forms.ts";
import { formsOf } from "../../src/runtime/forms-of.ts";

/** @param forms in place of what is known of the device */
export const untried =
  (forms: Partial<KernelForms> = {}): SettleDevice =>
  async () => ({
    name: "webgpu",
    reason: "as tested",
    computeType: "float32",
    forms: { ...formsOf("webgpu"), ...forms },
    notices: [],
  });
