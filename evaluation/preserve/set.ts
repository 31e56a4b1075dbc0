/** The edits whose truth is known, drawn on first use. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { type Picture, plainBytes } from "../../src/images/picture.ts";

const FOLDER = ".cache/preserve-set";
const EDITS = 200;

export interface Edit {
  id: string;
  kind: string;
  style: string | null;
  instruction: string;
}

/** @param filter of ids */
export function editsOf(filter: RegExp): Edit[] {
  if (!existsSync(path.join(FOLDER, "edits.json"))) {
    const drawing = ["scripts/python.mjs", "-m", "training.preserve_set", FOLDER, String(EDITS)];
    const { status } = spawnSync(process.execPath, drawing, { stdio: "inherit" });
    if (status !== 0) throw new Error("The edits could not be drawn.");
  }
  const edits = JSON.parse(readFileSync(path.join(FOLDER, "edits.json"), "utf8")) as Edit[];
  return edits.filter(({ id }) => filter.test(id));
}

export async function load(file: string): Promise<Picture> {
  const { data, info } = await sharp(path.join(FOLDER, file))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: plainBytes(data) };
}
