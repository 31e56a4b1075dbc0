/** What the process that looks at a device's memory is told, and how it is run. */
import { execFile } from "node:child_process";
import path from "node:path";
import type { Traffic } from "../../src/runtime/session.ts";
import { softwareGpu } from "../../tools/software-gpu.ts";
import { compile } from "../../tools/compile.mjs";
import { root } from "../support/fixtures.ts";
import type { DeviceEdit } from "./device-edit.ts";

export interface HeldTask extends DeviceEdit {
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

/** Two processes, one after the other, end within the time of a test. */
const TIMEOUT_MS = 145_000;

/** @throws Error with what the process said, if it fails or crashes */
export async function lookAtDevice(task: HeldTask | { rounds: number } | "tensors"): Promise<unknown> {
  const bundle = await compile(path.join(root, "test", "webgpu", "held-process.ts"));
  const options = { env: softwareGpu(), timeout: TIMEOUT_MS, maxBuffer: 2 ** 26, cwd: root } as const;
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [bundle, JSON.stringify(task)], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.signal ?? error.code}: ${stderr}`));
      else resolve(JSON.parse(stdout));
    });
  });
}
