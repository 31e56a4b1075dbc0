import { expect, it } from "vitest";
import { sectionOf } from "../../src/cli/doctor/devices.ts";

const cpu = { device: "cpu", isInstalled: true, isUsable: true } as const;
const coreml = {
  device: "coreml",
  isInstalled: false,
  isUsable: false,
  reason: "it is on macOS only",
} as const;

it("says of each device whether it works or why not, and what auto takes", () => {
  const broken = {
    device: "cuda",
    isInstalled: true,
    isUsable: false,
    reason: "libcuda.so.1 cannot be loaded",
  } as const;
  const { lines, facts } = sectionOf([cpu, broken, coreml]);
  expect(lines).toEqual([
    ["cpu", "works"],
    ["cuda", "does not work: libcuda.so.1 cannot be loaded"],
    ["coreml", "not here: it is on macOS only"],
    ["auto", "takes cpu; webgpu, coreml and dml, never compared with the reference, by name only"],
  ]);
  expect(facts).toEqual({ auto: "cpu", reports: [cpu, broken, coreml] });
});

it("says that auto takes CUDA where it works", () => {
  const cuda = { device: "cuda", isInstalled: true, isUsable: true } as const;
  expect(sectionOf([cpu, cuda]).facts).toMatchObject({ auto: "cuda" });
});
