/** Why a device cannot be used, from what its process printed. */
import path from "node:path";

const MAX_REASON_CHARACTERS = 300;

/** What is missing if a library cannot be opened. */
const REMEDIES: readonly (readonly [library: RegExp, remedy: string])[] = [
  [/^libcuda\.so/, "it is part of the driver of an NVIDIA GPU"],
  [
    /^lib(?:cublas|cublasLt|cudart|curand)\.so/,
    "it is part of CUDA 13, which must be on the library path (docs/devices.md)",
  ],
  [/^libvulkan\.so/, "a Vulkan loader and the GPU's driver for it must be installed"],
];

/** The reason in a process's output: the missing library if it names one, or else the error. */
export function reasonIn(output: string): string {
  const library = /(?<!\S)(\S+?): cannot open shared object file/.exec(output)?.[1];
  if (library !== undefined) {
    const name = path.basename(library);
    const remedy = REMEDIES.find(([pattern]) => pattern.test(name))?.[1];
    return `${name} cannot be loaded${remedy === undefined ? "" : `; ${remedy}`}`;
  }
  // The runtime's own errors begin with a location in its source.
  const error = /\bError: (.*)/.exec(output)?.[1]?.replace(/^\/\S+:\d+ .* was false\. /, "");
  const reason = (error ?? (output.trim() || "it ends without a word")).trimEnd().replace(/\.$/, "");
  return reason.slice(0, MAX_REASON_CHARACTERS);
}
