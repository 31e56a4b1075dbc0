/** Whole edits on a device and on the processor, in a process of their own. */
import path from "node:path";
import type { WeightsChoice } from "../../src/engine/weights-choice.ts";
import type { EditRequest, Size } from "../../src/engine/request.ts";
import type { KernelForms } from "../../src/onnx/kernel-forms.ts";
import type { ReferenceCache } from "../../src/pipelines/pipeline.ts";
import type { Device } from "../../src/runtime/device-names.ts";
import { fixtures, root } from "../support/fixtures.ts";
import { DeviceTasks } from "./tasks.ts";

/** An edit, by files. */
export interface DeviceEdit {
  /** Folder, from the root of the repository. */
  checkpoint: string;
  /** Files, from `test/fixtures`. */
  pictures: readonly string[];
  prompt: string;
  size: Size;
  request?: Omit<EditRequest, "image" | "prompt" | "size">;
  /** @default "fp32" */
  weights?: WeightsChoice;
  /** Files, from `test/fixtures`, all of which are used. */
  loras?: readonly string[];
  referenceCache?: ReferenceCache;
  /** Side of the autoencoder's tiles, in pixels. @default whole images */
  tileSide?: number;
  /** Whether every step is decoded and sketched. @default false */
  isPreviewed?: boolean;
}

/** Where an edit is done, and how. */
export interface Side {
  device: Device;
  /** How matrices in few bits are multiplied. @default as an engine does */
  accuracyLevel?: 1 | 4;
  /** Whether the device is tried first, as it is for users. It takes longer than the edit. @default false */
  isTried?: boolean;
  /** What the device's kernels can do, where it is not tried. @default what is known of them */
  forms?: Partial<KernelForms>;
}

/** What the process is told. */
export interface DeviceEditTask extends DeviceEdit, Side {
  cacheFolder: string;
}

/** What it answers. */
export interface DeviceEditAnswer {
  /** The previews and sketches of each step, then the result: 8-bit RGB, in base64. */
  pictures: { name: string; data: string }[];
}

export interface EditedPicture {
  /** Which one: `result`, `preview 1`, `sketch 1`, ... */
  name: string;
  data: Uint8Array;
}

export class DeviceEdits {
  readonly #tasks: DeviceTasks;

  /** @param bundle the compiled `device-edit-process.ts` */
  constructor(bundle: string) {
    this.#tasks = new DeviceTasks(bundle);
  }

  /** @throws Error with what the process said, if it fails or ends without an answer */
  async editOn(edit: DeviceEdit, side: Side & { cacheFolder: string }): Promise<EditedPicture[]> {
    const task: DeviceEditTask = {
      ...edit,
      checkpoint: path.join(root, edit.checkpoint),
      pictures: edit.pictures.map((name) => path.join(fixtures, name)),
      ...(edit.loras && { loras: edit.loras.map((name) => path.join(fixtures, name)) }),
      ...side,
    };
    const { pictures } = (await this.#tasks.ask(task)) as DeviceEditAnswer;
    return pictures.map(({ name, data }) => ({ name, data: Buffer.from(data, "base64") }));
  }

  close(): void {
    this.#tasks.close();
  }
}
