/** The checkpoint's networks and their sizes, also on disk. Checks its weights against its configuration. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import {
  checkpointName,
  parametersOf,
  PUBLISHED_PLAN,
  readModelPlan,
  RetouchError,
  SHIPPED_CHECKPOINT,
} from "../../index.ts";
import { PUBLISHED } from "../../hub/repository.ts";
import { sizeText } from "../../machine/size-text.ts";
import { checkpointFolder } from "../checkpoint.ts";
import type { Question, Section, Subject } from "./section.ts";

/** What is examined: a local checkpoint, or the published one by its known sizes. */
export async function readSubject(asked: Question): Promise<Subject> {
  const { model } = asked;
  if (model !== undefined) {
    if (model === PUBLISHED) return { ...asked, name: model, plan: PUBLISHED_PLAN };
    throw new RetouchError(
      "INVALID_PARAMETER",
      `--model must be ${PUBLISHED}, whose sizes are known without its files; --checkpoint takes others.`,
    );
  }
  const folder = (await checkpointFolder(asked.checkpoint)) ?? SHIPPED_CHECKPOINT;
  return { ...asked, name: checkpointName(folder), plan: await readModelPlan(folder, asked), folder };
}

export async function examineCheckpoint(subject: Subject): Promise<Section> {
  const { name, plan, folder } = subject;
  const files: Record<string, string | undefined> = {
    transformer: subject.transformer,
    vae: subject.vae,
    text_encoder_2: subject.textEncoder,
  };
  const components: Record<string, { parameters: number; fileBytes: number | null }> = {};
  for (const [component, count] of Object.entries(parametersOf(plan))) {
    components[component] = {
      parameters: count,
      fileBytes:
        folder === undefined ? null : await weightBytes(files[component] ?? path.join(folder, component)),
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

/** Bytes of a file, or of the weights in a folder. */
async function weightBytes(place: string): Promise<number> {
  // A folder may be missing: a file of a whole model stands in for it.
  const found = await stat(place).catch(() => undefined);
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.size;
  const names = (await readdir(place)).filter((name) => name.endsWith(".safetensors"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(place, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

const countText = (count: number): string =>
  count >= 1e9 ? `${(count / 1e9).toFixed(2)} billion` : `${(count / 1e6).toFixed(2)} million`;
