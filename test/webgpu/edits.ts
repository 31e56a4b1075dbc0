/** The edits that are compared between the software device and the CPU. */
import { editCases, type EditCase } from "../support/cases.ts";
import { kleinCases, type KleinCase } from "../support/klein-cases.ts";
import type { DeviceEdit } from "./device-edit.ts";

export const SHIPPED: DeviceEdit = {
  checkpoint: "checkpoints/tiny",
  pictures: ["pictures/bluebird-128x128.png"],
  prompt: "Exact same bluebird, same angle and posture, now perched on a cloud in outer space",
  size: { width: 128, height: 128 },
  request: { seed: 1, numSteps: 4, guidance: 2 },
};

/** An edit of FLUX.1 Kontext by its name in `test/fixtures/cases.json`. */
function kontext(wanted: string, changes: Partial<DeviceEdit> = {}): DeviceEdit {
  const { checkpoint, picture, prompt, negativePrompt, trueCfgScale, width, height, ...request } =
    editCases.find(({ name }: EditCase) => name === wanted)!;
  const { seed, steps: numSteps, guidance } = request;
  const guided = negativePrompt === null ? {} : { negativePrompt, trueCfgScale };
  return {
    checkpoint,
    pictures: [picture],
    prompt,
    size: { width, height },
    request: { seed, numSteps, guidance, ...guided },
    ...changes,
  };
}

/** An edit of FLUX.2 [klein] by its name in `test/fixtures/klein/cases.json`. */
function klein(wanted: string, changes: Partial<DeviceEdit> = {}): DeviceEdit {
  const { checkpoint, pictures, prompt, width, height, seed, steps, guidance, maxSequenceLength } =
    kleinCases.find(({ name }: KleinCase) => name === wanted)!;
  return {
    checkpoint,
    pictures,
    prompt,
    size: { width: width!, height: height! },
    request: { seed, numSteps: steps, guidance, maxSequenceLength },
    ...changes,
  };
}

/** By what is said of them in the log. */
export const KONTEXT_EDITS: Readonly<Record<string, DeviceEdit>> = {
  "the shipped checkpoint": SHIPPED,
  "8 bits": kontext("sharded-square", { weights: "int8" }),
  "4 bits": kontext("sharded-square", { weights: "int4" }),
  "16 bits kept": kontext("shifted-square", { weights: "fp16" }),
  "true guidance": kontext("plain-negative"),
  "a LoRA": kontext("plain-square", { loras: ["loras/peft.safetensors"] }),
  "a DoRA": kontext("plain-square", { loras: ["loras/dora.safetensors"] }),
  "tiles of 32 pixels": kontext("odd-square", { tileSide: 32 }),
  "previews of each step": kontext("sharded-square", { isPreviewed: true }),
};

export const KLEIN_EDITS: Readonly<Record<string, DeviceEdit>> = {
  "klein without an image": klein("plain-without"),
  "klein with one image": klein("plain-one"),
  "klein with three images, guided": klein("odd-three"),
  "klein, references kept": klein("plain-kept-two", { referenceCache: "approximate" }),
  "klein, tables in half precision": klein("double-only-one", { weights: "int8" }),
  "klein, four images": klein("double-only-four"),
};
