/** What the networks can run on: which devices this installation has, whether they work, and how fast they are. */
import type { DeviceSpeed, MeasuredDevice } from "../../index.ts";
import { sizeText } from "../../machine/size-text.ts";
import type { Section } from "./section.ts";

export function deviceSection(devices: readonly MeasuredDevice[]): Section {
  const tried = devices
    .filter(({ device, isUsable, adapter }) => device !== "cpu" && isUsable && !adapter?.isSoftware)
    .map(({ device }) => device);
  return {
    title: "Devices (--device, RETOUCH_DEVICE)",
    name: "devices",
    lines: [
      ...devices.map((device) => [device.device, textOf(device)] as const),
      [
        "auto",
        tried.length === 0
          ? "takes cpu"
          : `takes ${tried.join(" or ")} if it computes a checkpoint as the CPU does, and faster; else cpu`,
      ],
    ],
    facts: { auto: tried, reports: devices },
  };
}

function textOf({ isInstalled, isUsable, reason, adapter, speed, speedReason }: MeasuredDevice): string {
  if (!isUsable) return `${isInstalled ? "does not work" : "not here"}: ${reason}`;
  const parts = [
    ...(speed === undefined ? [] : [speedText(speed)]),
    ...(speedReason === undefined ? [] : [`not measured to the end: ${speedReason}`]),
  ];
  const works = adapter?.isSoftware ? `works, in software (${adapter.driver})` : "works";
  return `${works}${parts.length > 0 ? `: ${parts.join("; ")}` : ""}`;
}

/** How types are called where their speed is shown. */
const TYPE_NAMES = { float32: "float32", float16: "float16", int8: "8 bits", int4: "4 bits" } as const;

/** "150 GFLOP/s in float32, 359 in 8 bits; attention 78, convolutions 120; 1.2 GB/s to it, 800 MB/s back". */
export function speedText({ products, attention, convolutions, upBytes, downBytes }: DeviceSpeed): string {
  const types = Object.entries(TYPE_NAMES).flatMap(([type, name]) => {
    const flops = products[type as keyof typeof TYPE_NAMES];
    return flops === undefined ? [] : [{ name, flops }];
  });
  const attending = attention.float16 ?? attention.float32;
  const parts = [
    types.map(({ name, flops }, index) => `${gigaflops(flops)}${index === 0 ? " GFLOP/s" : ""} in ${name}`),
    [
      ...(attending === undefined ? [] : [`attention ${gigaflops(attending)}`]),
      ...(convolutions === undefined ? [] : [`convolutions ${gigaflops(convolutions)}`]),
    ],
    [
      ...(upBytes === undefined ? [] : [`${sizeText(upBytes)}/s to it`]),
      ...(downBytes === undefined ? [] : [`${sizeText(downBytes)}/s back`]),
    ],
  ];
  return parts.flatMap((list) => (list.length === 0 ? [] : [list.join(", ")])).join("; ");
}

/** Slow ones to two digits. */
function gigaflops(flops: number): string {
  const value = flops / 1e9;
  return value >= 9.5 ? String(Math.round(value)) : value.toPrecision(2);
}
