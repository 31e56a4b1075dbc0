/** The checkpoint's networks: how large they are, and on the disk. Its weights are held against its configuration. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import {
  type NetworkSizes,
  parametersOf,
  PUBLISHED_SIZES,
  readNetworkSizes,
  RetouchError,
  SHIPPED_CHECKPOINT,
} from "../../index.ts";
import { PUBLISHED } from "../../hub/repository.ts";
import { sizeText } from "../../machine/size-text.ts";
import { checkpointFolder } from "../checkpoint.ts";
import type { Section, Subject } from "./section.ts";

/** Folders of a checkpoint, with the networks in them. */
const FOLDERS = {
  text_encoder: ["clip"],
  text_encoder_2: ["t5"],
  vae: ["encoder", "decoder"],
  transformer: ["modulation", "transformer"],
} as const;

/** What is examined: a checkpoint that is there, or the published one by its sizes alone. */
export async function subjectSizes({ model, ...subject }: Subject): Promise<{
  name: string;
  sizes: NetworkSizes;
  folder?: string | undefined;
}> {
  if (model !== undefined) {
    if (model === PUBLISHED) return { name: model, sizes: PUBLISHED_SIZES };
    throw new RetouchError(
      "INVALID_PARAMETER",
      `--model must be ${PUBLISHED}, whose sizes are known without its files; --checkpoint takes others.`,
    );
  }
  const folder = (await checkpointFolder(subject.checkpoint)) ?? SHIPPED_CHECKPOINT;
  return { name: path.basename(folder), sizes: await readNetworkSizes(folder, subject), folder };
}

export async function examineCheckpoint(subject: Subject): Promise<Section> {
  const { name, sizes, folder } = await subjectSizes(subject);
  const parameters = parametersOf(sizes);
  const components: Record<string, { parameters: number; fileBytes: number | null }> = {};
  for (const [component, networks] of Object.entries(FOLDERS)) {
    const single = component === "transformer" || component === "vae" ? subject[component] : undefined;
    components[component] = {
      parameters: networks.reduce((sum, network) => sum + parameters[network], 0),
      fileBytes: folder === undefined ? null : await weightBytes(single ?? path.join(folder, component)),
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

/** Of a file, or of the weights in a folder. */
async function weightBytes(place: string): Promise<number> {
  const found = await stat(place);
  if (!found.isDirectory()) return found.size;
  const names = (await readdir(place)).filter((name) => name.endsWith(".safetensors"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(place, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

const countText = (count: number): string =>
  count >= 1e9 ? `${(count / 1e9).toFixed(2)} billion` : `${(count / 1e6).toFixed(2)} million`;
