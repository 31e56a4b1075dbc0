/**
 * A Vulkan device in software, SwiftShader, which runs WebGPU where there is no graphics card. Debian's `chromium` brings
 * it, and a Vulkan loader. A process finds it by its environment alone, and only if that is set before it starts.
 */
import { existsSync } from "node:fs";
import path from "node:path";

/** Where Debian's `chromium` and Google's packages of Chrome keep it. */
const FOLDERS = ["/usr/lib/chromium", "/opt/google/chrome"];
const DRIVER = "vk_swiftshader_icd.json";
const LOADER = "libvulkan.so.1";

const folder = FOLDERS.find((name) => existsSync(path.join(name, DRIVER)));

/** Why there is no software device, or undefined if there is one. */
export const withoutSoftwareGpu: string | undefined =
  folder === undefined ? `no ${DRIVER} in ${FOLDERS.join(" or ")}; Debian's chromium brings it` : undefined;

/**
 * The environment in which a child process has the software device and no other.
 * @throws Error if there is none
 */
export function softwareGpu(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  if (folder === undefined) throw new Error(`There is no software device: ${withoutSoftwareGpu}.`);
  const driver = path.join(folder, DRIVER);
  const own = existsSync(path.join(folder, LOADER)) ? [folder] : [];
  const libraries = [...own, environment["LD_LIBRARY_PATH"]].filter(
    (name) => name !== undefined && name !== "",
  );
  return {
    ...environment,
    ORT_DISABLE_TELEMETRY: "1",
    // The loader's names of one setting, the older and the newer.
    VK_ICD_FILENAMES: driver,
    VK_DRIVER_FILES: driver,
    ...(libraries.length > 0 && { LD_LIBRARY_PATH: libraries.join(":") }),
  };
}
