/** Every device of this installation: whether it works, and how fast it computes what a model consists of. */
import type { DeviceSpeed } from "../runtime/device-speed.ts";
import { type DeviceReport, examineDevices } from "../runtime/devices.ts";
import { type ApartOptions, measureApart } from "../runtime/measure-apart.ts";
import type { ModelPlan } from "./model.ts";
import { workloadOf } from "./workload.ts";

export interface MeasuredDevice extends DeviceReport {
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
    if (!report.isUsable) {
      measured.push(report);
      continue;
    }
    const runtime = { threads: 0, device: report.device };
    const { speed, reason } = await measureApart({ runtime, workload }, options);
    measured.push({ ...report, speed, speedReason: reason });
  }
  return measured;
}
