/** Edits by an engine each, as `device-edit.ts` describes them: a `DeviceEditTask` in a message, and the pictures in the next. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Components } from "../../src/engine/components.ts";
import { createEngine } from "../../src/engine/engine.ts";
import type { EditStep } from "../../src/engine/model.ts";
import { decodePicture } from "../../src/images/decode.ts";
import type { Picture } from "../../src/images/picture.ts";
import { DeviceMemory } from "../../src/runtime/device-memory.ts";
import type { DeviceEditAnswer, DeviceEditTask } from "./device-edit.ts";
import { answerTasks } from "./tasks.ts";
import { untried } from "./untried.ts";

const load = Components.load.bind(Components);
const tileSideOfPlan = Object.getOwnPropertyDescriptor(Components.prototype, "tileSide")!;

/** Changes what an engine gives no choice of, between the engine and its networks. */
function intervene({ device, accuracyLevel, forms, isTried, tileSide }: DeviceEditTask): void {
  Components.load = (model, runtime, options = {}) => {
    const settleDevice = device === "cpu" || isTried ? options.settleDevice : untried(forms);
    const level = accuracyLevel ?? options.accuracyLevel;
    return load(model, runtime, { ...options, settleDevice, accuracyLevel: level });
  };
  Object.defineProperty(
    Components.prototype,
    "tileSide",
    tileSide === undefined ? tileSideOfPlan : { ...tileSideOfPlan, get: () => tileSide },
  );
}

let kept: DeviceMemory | undefined;

async function answer(task: DeviceEditTask): Promise<DeviceEditAnswer> {
  const { checkpoint, pictures: files, prompt, size, request, weights = "fp32", loras = [] } = task;
  const { device, cacheFolder, referenceCache, isPreviewed } = task;
  // With its last session the device would forget its kernels.
  if (device !== "cpu") kept ??= await DeviceMemory.open({ threads: 0, device });
  intervene(task);
  const engine = await createEngine({
    checkpoint,
    device,
    cacheFolder,
    weights,
    referenceCache,
    loras: Object.fromEntries(loras.map((file) => [path.parse(file).name, file])),
    safety: { isOn: false },
  });
  const pictures: DeviceEditAnswer["pictures"] = [];
  const put = (name: string, { data }: Picture): void => {
    pictures.push({ name, data: Buffer.from(data).toString("base64") });
  };
  const onStep = async (step: EditStep): Promise<void> => {
    put(`preview ${step.step}`, await step.preview());
    put(`sketch ${step.step}`, await step.sketch());
  };
  const image = await Promise.all(files.map((file) => readFile(file)));
  const used = loras.map((file) => ({ name: path.parse(file).name }));
  const result = await engine.edit(
    { ...request, image, prompt, size, loras: used },
    isPreviewed ? { onStep, isSketched: true } : {},
  );
  put("result", await decodePicture(result.image));
  await engine.close();
  return { pictures };
}

answerTasks(answer);
