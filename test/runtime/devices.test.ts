import path from "node:path";
import { existsSync } from "node:fs";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { PROVIDER } from "../../scripts/cuda.mjs";
import { ENGINE } from "../../src/config/edit-settings.ts";
import {
  adapterOf,
  candidatesFor,
  DEVICE_CHOICES,
  type Device,
  type DeviceChoice,
  examineDevices,
  openDevice,
} from "../../src/runtime/devices.ts";
import { reasonIn } from "../../src/runtime/failure-reason.ts";
import { CUDA_LIBRARIES, type Installation, thisInstallation } from "../../src/runtime/installation.ts";
import { createsWith, installation, WORKS } from "../support/installations.ts";
import { refusal } from "../support/refusal.ts";

/** Why a device cannot be used, or undefined. */
async function reasonOf(device: Device, own: Installation, timeoutMs?: number): Promise<string | undefined> {
  const opened = await openDevice(device, own, { timeoutMs });
  if ("reason" in opened) return opened.reason;
  opened.process.close();
  return undefined;
}

describe("the devices to try", () => {
  it("are none for the processor, and where nothing else is set up", async () => {
    const bare = await installation(WORKS, { hasCuda: false, hasGpu: false });
    expect(candidatesFor("auto", bare)).toEqual([]);
    expect(candidatesFor("cpu", await installation(WORKS))).toEqual([]);
  });

  it("are those that are installed where there may be a GPU", async () => {
    expect(candidatesFor("auto", await installation(WORKS))).toEqual(["cuda", "webgpu"]);
    expect(candidatesFor("auto", await installation(WORKS, { hasCuda: false }))).toEqual(["webgpu"]);
    expect(candidatesFor("auto", await installation(WORKS, { platform: "darwin", hasGpu: false }))).toEqual([
      "webgpu",
      "coreml",
    ]);
    expect(candidatesFor("auto", await installation(WORKS, { platform: "win32" }))).toEqual([
      "webgpu",
      "dml",
    ]);
  });

  it("are CUDA alone where it was added and no GPU is seen", async () => {
    expect(candidatesFor("auto", await installation(WORKS, { hasGpu: false }))).toEqual(["cuda"]);
  });

  it("are the one that was named, whatever the machine has", async () => {
    expect(candidatesFor("webgpu", await installation(WORKS, { hasGpu: false }))).toEqual(["webgpu"]);
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
  ] as const)("do not include %s on %s %s", async (device, platform, architecture, reason) => {
    const bare = await installation(WORKS, { platform, architecture, hasCuda: false });
    expect(() => candidatesFor(device, bare)).toThrow(
      refusal("INVALID_PARAMETER", `device ${device} cannot be used: ${reason}.`) as Error,
    );
  });

  it("do not include a name that is none", () => {
    expect(() => candidatesFor("tpu" as DeviceChoice)).toThrow(
      refusal(
        "INVALID_PARAMETER",
        'device must be auto, cpu, cuda, webgpu, coreml or dml, not "tpu".',
      ) as Error,
    );
  });

  it("include CUDA by the files that are installed for it", () => {
    const names = PROVIDER.files.map((name) => path.posix.basename(name));
    expect(names.toSorted()).toEqual(CUDA_LIBRARIES.toSorted());
  });

  it("have the same names in the settings", () => {
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
    expect(await reasonOf("webgpu", await installation(`${isOff}${WORKS}`))).toBeUndefined();
  });

  it("of this machine has its libraries where they are looked for, and adds on the processor", async () => {
    const own = thisInstallation();
    expect(existsSync(path.join(own.libraryFolder, "onnxruntime_binding.node"))).toBe(true);
    expect(await reasonOf("cpu", own)).toBeUndefined();
  });
});

describe("a device is tried in a process of its own", () => {
  it.each([
    ["crashes", "process.kill(process.pid, 'SIGSEGV')", "trying it ends with SIGSEGV"],
    ["ends in silence", "process.exit(3)", "it ends without a word"],
    ["is refused", 'throw new Error("no GPU is free")', "no GPU is free"],
    [
      "computes nonsense",
      "return { run: async () => ({ sum: { data: [2, 5] } }), release: async () => {} }",
      "it computes 2,5 for 2,4",
    ],
  ])("which %s", async (_, body, reason) => {
    expect(await reasonOf("webgpu", await installation(createsWith(body)))).toBe(reason);
  });

  it("which lacks the runtime", async () => {
    const own = { ...(await installation(WORKS)), module: "/nowhere/runtime.cjs" };
    expect(await reasonOf("webgpu", own)).toBe("Cannot find module '/nowhere/runtime.cjs'");
  });

  it("which hangs", async () => {
    const own = await installation(createsWith("setInterval(() => {}, 1000); await new Promise(() => {})"));
    expect(await reasonOf("webgpu", own, 1500)).toBe("it does not answer within 1.5 s");
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

describe("an adapter is known by the drivers that its process has loaded", () => {
  const RUNTIME = ["/app/libonnxruntime.so.1", "/usr/lib/x86_64-linux-gnu/libvulkan.so.1"];
  it.each([
    ["SwiftShader", ["/usr/lib/chromium/libvk_swiftshader.so"], "libvk_swiftshader.so", true],
    ["lavapipe", ["/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so"], "libvulkan_lvp.so", true],
    [
      "a Radeon beside lavapipe",
      ["/lib/libvulkan_lvp.so", "/lib/libvulkan_radeon.so"],
      "libvulkan_radeon.so",
      false,
    ],
    ["NVIDIA's", ["/lib/libvulkan_lvp.so", "/lib/libGLX_nvidia.so.0"], "libGLX_nvidia.so.0", false],
    ["WARP", ["C:\\Windows\\System32\\d3d10warp.dll"], "d3d10warp.dll", true],
    [
      "an Intel GPU beside WARP",
      ["C:\\Windows\\System32\\d3d10warp.dll", "C:\\Windows\\System32\\igd12um64xel.dll"],
      "igd12um64xel.dll",
      false,
    ],
  ])("%s", (_, drivers, driver, isSoftware) => {
    expect(adapterOf([...RUNTIME, ...drivers])).toEqual({ driver, isSoftware });
  });

  it("or not at all", () => expect(adapterOf(RUNTIME)).toBeUndefined());
});
