import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { existsSync } from "node:fs";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { PROVIDER } from "../../scripts/cuda.mjs";
import { ENGINE } from "../../src/config/edit-settings.ts";
import {
  chooseDevice,
  CUDA_LIBRARIES,
  DEVICE_CHOICES,
  type DeviceChoice,
  examineDevices,
  type Installation,
  probe,
  reasonIn,
  thisInstallation,
} from "../../src/runtime/devices.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const WORKS = `
exports.Tensor = class {};
exports.InferenceSession = { create: async () => ({ run: async () => ({ sum: { data: [2, 4] } }) }) };`;
const createsWith = (body: string): string =>
  `exports.InferenceSession = { create: async () => { ${body} } };`;

/** An installation for a system, whose runtime is `program`; with CUDA's files, which nothing opens. */
async function installation(
  program: string,
  { platform = "linux", architecture = "x64", hasCuda = true } = {},
): Promise<Installation> {
  const folder = await temporaryFolder();
  const module = path.join(folder, "runtime.cjs");
  const libraryFolder = path.join(folder, "lib");
  await mkdir(libraryFolder);
  await writeFile(module, program);
  for (const name of hasCuda ? CUDA_LIBRARIES : []) await writeFile(path.join(libraryFolder, name), "");
  return { platform: platform as NodeJS.Platform, architecture, module, libraryFolder };
}

describe("the device of an engine", () => {
  it("is the processor where nothing else is set up, and nothing is tried", async () => {
    const bare = await installation(createsWith("throw new Error('tried')"), { hasCuda: false });
    expect(await chooseDevice("auto", bare)).toEqual({ name: "cpu", reason: "no other device is set up" });
    expect(await chooseDevice("cpu", bare)).toEqual({ name: "cpu", reason: "as asked" });
  });

  it("is CUDA where its provider is installed and works", async () => {
    const whole = await installation(WORKS);
    expect(await chooseDevice("auto", whole)).toEqual({
      name: "cuda",
      reason: "its provider is installed and works",
    });
    expect(await chooseDevice("webgpu", whole)).toEqual({ name: "webgpu", reason: "as asked" });
  });

  it("is the processor, with a notice, where CUDA is installed and does not work", async () => {
    const broken = await installation(createsWith('throw new Error("no GPU is free")'));
    expect(await chooseDevice("auto", broken)).toEqual({
      name: "cpu",
      reason: "CUDA cannot be used",
      notice: "CUDA is installed and cannot be used, so the processor computes: no GPU is free.",
    });
    await expect(chooseDevice("cuda", broken)).rejects.toEqual(
      refusal("INVALID_PARAMETER", "device cuda cannot be used: no GPU is free."),
    );
  });

  it.each([
    [
      "cuda",
      "linux",
      "x64",
      "its provider is not installed; `npm run cuda` adds it, 247 MB from PyPI; CUDA 13 and cuDNN 9 must be there as well (docs/devices.md)",
    ],
    ["cuda", "linux", "arm64", "onnxruntime-node has it on Linux on x64 only"],
    ["webgpu", "linux", "arm64", "onnxruntime-node has it on Linux on x64, macOS and Windows only"],
    ["coreml", "linux", "x64", "onnxruntime-node has it on macOS only"],
    ["dml", "darwin", "arm64", "onnxruntime-node has it on Windows only"],
  ] as const)("is refused: %s on %s %s", async (device, platform, architecture, reason) => {
    const bare = await installation(WORKS, { platform, architecture, hasCuda: false });
    await expect(chooseDevice(device, bare)).rejects.toEqual(
      refusal("INVALID_PARAMETER", `device ${device} cannot be used: ${reason}.`),
    );
  });

  it("is refused by a name that is none", async () => {
    await expect(chooseDevice("tpu" as DeviceChoice)).rejects.toEqual(
      refusal("INVALID_PARAMETER", 'device must be auto, cpu, cuda, webgpu, coreml or dml, not "tpu".'),
    );
  });

  it("is CUDA by the files that are installed for it", () => {
    const names = PROVIDER.files.map((name) => path.posix.basename(name));
    expect(names.toSorted()).toEqual(CUDA_LIBRARIES.toSorted());
  });

  it("has the same names in the settings", () => {
    const { parser } = ENGINE.device;
    for (const choice of DEVICE_CHOICES) expect(parser.parse(choice)).toBe(choice);
    expect(parser.accepts).toBe(DEVICE_CHOICES.join(", ").replace(", dml", " or dml"));
  });
});

describe("an installation", () => {
  it("is looked through device by device", async () => {
    expect(await examineDevices(await installation(WORKS))).toEqual([
      { device: "cpu", isInstalled: true, isUsable: true },
      { device: "cuda", isInstalled: true, isUsable: true },
      { device: "webgpu", isInstalled: true, isUsable: true },
      expect.objectContaining({ device: "coreml", isInstalled: false, isUsable: false }),
      expect.objectContaining({ device: "dml", isInstalled: false, isUsable: false }),
    ]);
  });

  it("is tried with the runtime's telemetry off", async () => {
    const isOff = 'if (process.env.ORT_DISABLE_TELEMETRY !== "1") throw new Error("telemetry is on");';
    vi.stubEnv("ORT_DISABLE_TELEMETRY", "0");
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await probe("webgpu", await installation(`${isOff}${WORKS}`))).toBeUndefined();
  });

  it("of this machine has its libraries where they are looked for, and adds on the processor", async () => {
    const own = thisInstallation();
    expect(existsSync(path.join(own.libraryFolder, "onnxruntime_binding.node"))).toBe(true);
    expect(await probe("cpu", own)).toBeUndefined();
  });
});

describe("a device is tried in a process of its own", () => {
  it.each([
    ["crashes", "process.kill(process.pid, 'SIGSEGV')", "trying it ends with SIGSEGV"],
    ["ends in silence", "process.exit(3)", "it ends without a word"],
    [
      "computes nonsense",
      "return { run: async () => ({ sum: { data: [2, 5] } }) }",
      "it computes 2,5 for 2,4",
    ],
  ])("which %s", async (_, body, reason) => {
    const module = await installation(`exports.Tensor = class {};${createsWith(body)}`);
    expect(await probe("webgpu", module)).toBe(reason);
  });

  it("which hangs", async () => {
    const module = await installation(
      createsWith("setInterval(() => {}, 1000); await new Promise(() => {})"),
    );
    expect(await probe("webgpu", module, 500)).toBe("it does not answer within 0.5 s");
  });
});

/** As onnxruntime-node 1.30.0 printed them, shortened. */
const PRINTED = {
  cuda: `[E:onnxruntime] Failed to load library /app/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file: No such file or directory
    throw Error: OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library`,
  driver: "with error: libcuda.so.1: cannot open shared object file: No such file or directory",
  vulkan:
    "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file: No such file or directory",
  adapter:
    "Error: /onnxruntime_src/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize()::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters\n    at create",
};

describe("the reason is what the runtime printed", () => {
  it.each([
    [
      PRINTED.cuda,
      "libcublasLt.so.13 cannot be loaded; it is part of CUDA 13, which must be on the library path (docs/devices.md)",
    ],
    [PRINTED.driver, "libcuda.so.1 cannot be loaded; it is part of the driver of an NVIDIA GPU"],
    [
      PRINTED.vulkan,
      "libvulkan.so.1 cannot be loaded; a Vulkan loader and the GPU's driver for it must be installed",
    ],
    [PRINTED.adapter, "Failed to get a WebGPU adapter: No supported adapters"],
    ["libodd.so.2: cannot open shared object file", "libodd.so.2 cannot be loaded"],
    [`Error: ${"x".repeat(400)}`, "x".repeat(300)],
  ])("%#", (printed, reason) => expect(reasonIn(printed)).toBe(reason));
});
