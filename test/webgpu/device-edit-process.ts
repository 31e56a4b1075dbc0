/**
 * One edit by an engine, as `device-edit.ts` describes it: `node BUNDLE TASK`. Prints the pictures, and nothing else, on
 * standard output; what went wrong on standard error.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Components } from "../../src/engine/components.ts";
import { createEngine } from "../../src/engine/engine.ts";
import type { EditStep } from "../../src/engine/model.ts";
import { decodePicture } from "../../src/images/decode.ts";
import type { Picture } from "../../src/images/picture.ts";
import type { DeviceEditAnswer, DeviceEditTask } from "./device-edit.ts";
import { untried } from "./untried.ts";

const task = JSON.parse(process.argv[2]!) as DeviceEditTask;

/** Changes what an engine gives no choice of, between the engine and its networks. */
function intervene({ device, accuracyLevel, forms, isTried, tileSide }: DeviceEditTask): void {
  const load = Components.load.bind(Components);
  Components.load = (model, runtime, options = {}) => {
    const settleDevice = device === "cpu" || isTried ? options.settleDevice : untried(forms);
    const level = accuracyLevel ?? options.accuracyLevel;
    return load(model, runtime, { ...options, settleDevice, accuracyLevel: level });
  };
  if (tileSide !== undefined) {
    Object.defineProperty(Components.prototype, "tileSide", { get: () => tileSide });
  }
}

async function answer(): Promise<DeviceEditAnswer> {
  const { checkpoint, pictures: files, prompt, size, request, weights = "fp32", loras = [] } = task;
  const { device, cacheFolder, referenceCache, isPreviewed } = task;
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

process.stdout.write(JSON.stringify(await answer()));
