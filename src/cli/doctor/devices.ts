/** What the networks can run on: which devices this installation has, and whether they work. */
import { type DeviceReport, examineDevices } from "../../index.ts";
import type { Section } from "./section.ts";

export const deviceSection = async (): Promise<Section> => sectionOf(await examineDevices());

export function sectionOf(reports: readonly DeviceReport[]): Section {
  const taken = reports.find(({ device }) => device === "cuda")?.isUsable ? "cuda" : "cpu";
  return {
    title: "Devices (--device, RETOUCH_DEVICE)",
    name: "devices",
    lines: [
      ...reports.map((report) => [report.device, textOf(report)] as const),
      ["auto", `takes ${taken}; webgpu, coreml and dml, never compared with the reference, by name only`],
    ],
    facts: { auto: taken, reports },
  };
}

function textOf({ isInstalled, isUsable, reason }: DeviceReport): string {
  if (isUsable) return "works";
  return `${isInstalled ? "does not work" : "not here"}: ${reason}`;
}
