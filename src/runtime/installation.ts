/** The installation of onnxruntime-node: which devices it has, and whether this machine has hardware for them. */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { Device } from "./device-names.ts";

/** Tests provide others. */
export interface Installation {
  platform: string;
  architecture: string;
  /** Its main module. */
  module: string;
  /** The folder of its libraries for this system. */
  libraryFolder: string;
  /** Where `/dev` is. @default the machine's own */
  root?: string | undefined;
}

/** The two files that onnxruntime loads CUDA from; they come from the PyPI package `onnxruntime-gpu`. */
export const CUDA_LIBRARIES = ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];
const HOW_TO_ADD_CUDA =
  "`npm run cuda` adds it, 247 MB from PyPI; CUDA 13 and cuDNN 9 must be there as well (docs/devices.md)";

/** Where onnxruntime-node 1.30.0 supports a device, apart from CUDA's files. */
const PLATFORMS: Readonly<Record<Device, { systems: readonly string[]; inWords: string }>> = {
  cpu: { systems: ["linux", "darwin", "win32"], inWords: "everywhere" },
  cuda: { systems: ["linux x64"], inWords: "on Linux on x64" },
  webgpu: { systems: ["linux x64", "darwin", "win32"], inWords: "on Linux on x64, macOS and Windows" },
  coreml: { systems: ["darwin"], inWords: "on macOS" },
  dml: { systems: ["win32"], inWords: "on Windows" },
};

export function thisInstallation(): Installation {
  const { platform, arch: architecture } = process;
  const module = createRequire(import.meta.url).resolve("onnxruntime-node");
  const libraryFolder = path.join(path.dirname(module), "..", "bin", "napi-v6", platform, architecture);
  return { platform, architecture, module, libraryFolder };
}

/** Why an installation lacks a device, if it does. */
export function missingOf(device: Device, installation: Installation): string | undefined {
  const { platform, architecture, libraryFolder } = installation;
  const { systems, inWords } = PLATFORMS[device];
  if (!systems.includes(platform) && !systems.includes(`${platform} ${architecture}`)) {
    return `onnxruntime-node has it ${inWords} only`;
  }
  const isThere = CUDA_LIBRARIES.every((name) => existsSync(path.join(libraryFolder, name)));
  return device === "cuda" && !isThere ? `its provider is not installed; ${HOW_TO_ADD_CUDA}` : undefined;
}

/** Files of a GPU: those of the kernel's drivers, NVIDIA's own, and that of a Windows host. */
const GPU_FILES = /^(?:renderD\d+|nvidia\d+|dxg)$/;

/**
 * Whether this machine may have a GPU, found out without loading a driver. Linux has a file for each; every Mac and
 * every Windows machine counts as having one.
 */
export function mayHaveGpu({ platform, root = path.parse(process.cwd()).root }: Installation): boolean {
  if (platform !== "linux") return true;
  const device = path.join(root, "dev");
  return [device, path.join(device, "dri")].some((folder) =>
    namesIn(folder).some((name) => GPU_FILES.test(name)),
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
