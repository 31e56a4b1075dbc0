/** The checkpoint's networks and their sizes, also on disk. Checks its weights against its configuration. */
import { stat } from "node:fs/promises";
import { anyOf } from "../../errors.ts";
import {
  checkpointName,
  filesOf,
  type ModelPlan,
  parametersOf,
  PUBLISHED_MODELS,
  readModelPlan,
  RetouchError,
  SHIPPED_CHECKPOINT,
} from "../../index.ts";
import { sizeText } from "../../machine/size-text.ts";
import { checkpointFolder } from "../checkpoint.ts";
import type { Question, Section, Subject } from "./section.ts";

/** What is examined: a local checkpoint, or a published model by its known sizes. */
export async function readSubject(asked: Question): Promise<Subject> {
  const subject = await findSubject(asked);
  checkImages(asked.images, subject.plan);
  return subject;
}

/** @throws RetouchError INVALID_PARAMETER for a number of images that the model does not take */
function checkImages(images: number | undefined, { images: limits = ONE_IMAGE }: ModelPlan): void {
  const { minImages, maxImages } = limits;
  if (images === undefined) return;
  if (Number.isInteger(images) && images >= minImages && images <= maxImages) return;
  const accepted = minImages === maxImages ? maxImages : `a whole number from ${minImages} to ${maxImages}`;
  throw new RetouchError("INVALID_PARAMETER", `--images must be ${accepted} for this model, not ${images}.`);
}

const ONE_IMAGE: NonNullable<ModelPlan["images"]> = { minImages: 1, maxImages: 1 };

async function findSubject(asked: Question): Promise<Subject> {
  const { model } = asked;
  if (model !== undefined) {
    const published = PUBLISHED_MODELS.find(({ repository }) => repository === model);
    if (published !== undefined) return { ...asked, name: model, plan: published.plan };
    const names = anyOf(PUBLISHED_MODELS.map(({ repository }) => repository));
    throw new RetouchError(
      "INVALID_PARAMETER",
      `--model must be ${names}, whose sizes are known without the files; --checkpoint takes others.`,
    );
  }
  const folder = (await checkpointFolder(asked.checkpoint)) ?? SHIPPED_CHECKPOINT;
  return { ...asked, name: checkpointName(folder), plan: await readModelPlan(folder, asked), folder };
}

export async function examineCheckpoint(subject: Subject): Promise<Section> {
  const { name, plan, folder } = subject;
  const files = filesOf(plan);
  const components: Record<string, { parameters: number; fileBytes: number | null }> = {};
  for (const [component, count] of Object.entries(parametersOf(plan))) {
    components[component] = {
      parameters: count,
      fileBytes: files[component] === undefined ? null : await sizeOf(files[component]),
    };
  }
  return {
    title: `Checkpoint ${name}`,
    name: "checkpoint",
    lines: [
      ...Object.entries(components).map(([component, { parameters: count, fileBytes }]) => {
        const disk = fileBytes === null ? "" : `, ${sizeText(fileBytes)} on the disk`;
        return [component, `${countText(count)} weights${disk}`] as const;
      }),
      ...(folder === undefined ? ["Known by its published sizes; retouch pull downloads it."] : []),
    ],
    facts: { name, folder: folder ?? null, components },
  };
}

async function sizeOf(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

const countText = (count: number): string =>
  count >= 1e9 ? `${(count / 1e9).toFixed(2)} billion` : `${(count / 1e6).toFixed(2)} million`;
