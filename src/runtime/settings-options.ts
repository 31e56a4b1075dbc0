/**
 * How a network is loaded. Apart from what becomes of it (`session-settings.ts`), because the library's types reach this
 * file, and must not reach those of onnxruntime, which take a browser's.
 */
import type { Device } from "./device-names.ts";

export interface SettingsOptions {
  /** Threads per run; 0 leaves the choice to the runtime: one per physical core. */
  threads: number;
  /** @default "cpu" */
  device?: Device | undefined;
  /** The folder that the paths of the model's external data are relative to. */
  weightsFolder: string;
  /** Whether values that depend on weights alone, such as widened weights, are computed in every run, not just once. */
  isWideningDelayed?: boolean | undefined;
  /** Whether what a network works with goes back to the allocator after each run. @default false */
  isMemoryReturned?: boolean | undefined;
  /** Names of nodes that the CPU computes whatever the device. Only WebGPU can be told so. */
  hostNodes?: readonly string[] | undefined;
  /** Where the runtime writes what it ran, and where: the beginning of a file's path. @default nowhere */
  profilePrefix?: string | undefined;
  /** Whether outputs stay in the device's memory, where it has buffers that can be handed around. @default false */
  areOutputsHeld?: boolean | undefined;
  /** Whether a network is refused of which an operator would run on the CPU. @default false */
  isWhole?: boolean | undefined;
}
