/** Every device of this installation: whether it works, and how fast it computes what a model consists of. */
import type { ComputeType } from "../onnx/dtype.ts";
import type { KernelForms } from "../onnx/kernel-forms.ts";
import { findForms } from "../runtime/device-forms.ts";
import type { DeviceSpeed, SpeedWorkload } from "../runtime/device-speed.ts";
import { type Device, type DeviceReport, examineDevices, openDevice } from "../runtime/devices.ts";
import { type ApartOptions, measureApart } from "../runtime/measure-apart.ts";
import type { ModelPlan } from "./model.ts";
import { workloadOf } from "./workload.ts";

/** A device with its measured speed. */
export interface MeasuredDevice extends DeviceReport {
  /** The type that it computes the transformer in unless asked otherwise, as far as its kernels tell. */
  computeType?: ComputeType | undefined;
  /** Absent if it cannot be used, or if nothing could be measured. */
  speed?: DeviceSpeed | undefined;
  /** Why something of it was not measured. */
  speedReason?: string | undefined;
}

/** Tries and measures one device after the other, each in processes of its own; takes some seconds for each that works. */
export async function measureDevices(
  model: ModelPlan,
  options: ApartOptions = {},
): Promise<MeasuredDevice[]> {
  const workload = workloadOf(model);
  const measured: MeasuredDevice[] = [];
  for (const report of await examineDevices()) {
    measured.push(report.isUsable ? await measureDevice(report, workload, options) : report);
  }
  return measured;
}

async function measureDevice(
  report: DeviceReport,
  workload: SpeedWorkload,
  options: ApartOptions,
): Promise<MeasuredDevice> {
  const { device } = report;
  const forms = device === "cpu" ? undefined : await formsFor(device, workload);
  if (typeof forms === "string") return { ...report, speedReason: forms };
  const { speed, reason } = await measureApart({ runtime: { threads: 0, device, forms }, workload }, options);
  const computeType = forms?.hasFloat16 ? "float16" : "float32";
  return { ...report, computeType, speed, speedReason: reason };
}

/** The forms that an engine would find for this workload, or why there are none. */
async function formsFor(device: Device, { attention }: SpeedWorkload): Promise<KernelForms | string> {
  const opened = await openDevice(device);
  if ("reason" in opened) return opened.reason;
  try {
    const attentions = attention === undefined ? [] : [{ ...attention, isBiased: false }];
    return await findForms(opened.process, { attentions, types: ["float16"], tensorBytes: 0 });
  } finally {
    opened.process.close();
  }
}
