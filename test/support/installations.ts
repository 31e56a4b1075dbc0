/** Installations of a runtime that behaves as a test wants, on machines with and without a GPU. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { CUDA_LIBRARIES, type Installation, thisInstallation } from "../../src/runtime/installation.ts";
import { temporaryFolder } from "./temporary.ts";

export interface InstallationOptions {
  platform?: string;
  architecture?: string;
  /** Whether CUDA's files are there, which nothing opens. @default true */
  hasCuda?: boolean;
  /** Whether Linux has a GPU's file. @default true */
  hasGpu?: boolean;
}

/** @param program the runtime's main module */
export async function installation(
  program: string,
  { platform = "linux", architecture = "x64", hasCuda = true, hasGpu = true }: InstallationOptions = {},
): Promise<Installation> {
  const root = await temporaryFolder();
  const module = path.join(root, "runtime.cjs");
  const libraryFolder = path.join(root, "lib");
  await mkdir(libraryFolder);
  await mkdir(path.join(root, "dev", "dri"), { recursive: true });
  await writeFile(module, program);
  for (const name of hasCuda ? CUDA_LIBRARIES : []) await writeFile(path.join(libraryFolder, name), "");
  if (hasGpu) await writeFile(path.join(root, "dev", "dri", "renderD128"), "");
  return { platform, architecture, module, libraryFolder, root };
}

/** A runtime that always says what the device's first test wants. */
export const WORKS = `
exports.Tensor = class {};
exports.InferenceSession = {
  create: async () => ({ run: async () => ({ sum: { data: [2, 4] } }), release: async () => {} }),
};`;

/** A runtime whose sessions come from this code. */
export const createsWith = (body: string): string =>
  `exports.Tensor = class {};
exports.InferenceSession = { create: async () => { ${body} } };`;

/**
 * The real runtime on the CPU in the guise of a device, with a fault: `hasFault(model)` says of which models, by their
 * bytes, and `fault(numbers, settings)` changes what they give.
 */
export const faulty = ({ hasFault = "() => false", fault = "(data) => data", run = "" }): string => `
const real = require(${JSON.stringify(thisInstallation().module)});
exports.Tensor = real.Tensor;
const hasFault = ${hasFault};
const fault = ${fault};
exports.InferenceSession = {
  async create(model, { executionProviders, extra, ...settings }) {
    const { disable_cpu_ep_fallback, ...session } = extra.session;
    const own = await real.InferenceSession.create(model, { ...settings, extra: { ...extra, session } });
    const isFaulty = hasFault(Buffer.from(model).toString("latin1"));
    let known;
    return {
      async run(feeds) {
        ${run}
        const outputs = await own.run(feeds);
        known = Object.fromEntries(
          Object.entries(outputs).map(([name, { data }]) => [name, { data: isFaulty ? fault(Array.from(data)) : data }]),
        );
        return known;
      },
      release: () => own.release(),
    };
  },
};`;
