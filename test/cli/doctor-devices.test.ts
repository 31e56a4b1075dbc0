import { expect, it } from "vitest";
import { deviceSection, speedText } from "../../src/cli/doctor/devices.ts";
import { CPU, CPU_SPEED } from "../support/device-speeds.ts";

const coreml = {
  device: "coreml",
  isInstalled: false,
  isUsable: false,
  reason: "it is on macOS only",
} as const;

it("says of each device how fast it is or why it does not work, and what auto takes", () => {
  const broken = {
    device: "cuda",
    isInstalled: true,
    isUsable: false,
    reason: "libcuda.so.1 cannot be loaded",
  } as const;
  const crashing = {
    device: "webgpu",
    isInstalled: true,
    isUsable: true,
    speed: { products: { float32: 7.25e9 }, attention: {}, runSeconds: 0.001, failures: {} },
    speedReason: "measuring it ends with SIGSEGV",
  } as const;
  const devices = [CPU, broken, crashing, coreml];
  const { lines, facts } = deviceSection(devices);
  expect(lines).toEqual([
    ["cpu", "works: 150 GFLOP/s in float32, 359 in 8 bits, 342 in 4 bits; attention 78, convolutions 120"],
    ["cuda", "does not work: libcuda.so.1 cannot be loaded"],
    ["webgpu", "works: 7.3 GFLOP/s in float32; not measured to the end: measuring it ends with SIGSEGV"],
    ["coreml", "not here: it is on macOS only"],
    ["auto", "takes cpu; webgpu, coreml and dml, never compared with the reference, by name only"],
  ]);
  expect(facts).toEqual({ auto: "cpu", reports: devices });
});

it("says that auto takes CUDA where it works", () => {
  const cuda = { device: "cuda", isInstalled: true, isUsable: true } as const;
  const { lines, facts } = deviceSection([CPU, cuda]);
  expect(facts).toMatchObject({ auto: "cuda" });
  expect(lines[1]).toEqual(["cuda", "works"]);
});

it("has the half precision of a device, and the bytes that travel to it and back", () => {
  const speed = {
    ...CPU_SPEED,
    products: { float32: 12e12, float16: 40e12 },
    attention: { float32: 5e12, float16: 9.94e12 },
    upBytes: 1.24e9,
    downBytes: 800e6,
  };
  expect(speedText(speed)).toBe(
    "12000 GFLOP/s in float32, 40000 in float16; attention 9940, convolutions 120; 1.2 GB/s to it, 800 MB/s back",
  );
});
