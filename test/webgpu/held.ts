/** What the process that looks at a device's memory is told, and what it finds. */
import type { Traffic } from "../../src/runtime/session.ts";
import type { DeviceEdit } from "./device-edit.ts";

export type DeviceTask = { kind: "tensors" } | { kind: "leak"; rounds: number } | HeldTask;

export interface HeldTask extends DeviceEdit {
  kind: "edits";
  /** Whether what every step reads is held, rather than sent. */
  isHeld: boolean;
  /** Whether edits that do not finish follow the one that does. */
  areEndsTried: boolean;
  /** Bytes of memory that networks may take. @default all fit */
  memoryLimit?: number;
}

/** What it finds: `live` buffers are those that the runtime made and nobody freed. */
export interface HeldEdits {
  /** Live buffers before the first edit, after each step of it, and when the engine is closed. */
  idle: number;
  during: number[];
  closed: number;
  /** What travels from step to step; with the first, all that comes before it. */
  steps: Traffic[];
  /** By how an edit ended. */
  ends: Record<string, { live: number; reason: string }>;
  /** The result, 8-bit RGB in base64. */
  picture: string;
}
