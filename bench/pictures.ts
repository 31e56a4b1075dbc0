/** The image that both sides edit, and how similar their results are. */
import sharp from "sharp";
import { psnrOf } from "../src/images/psnr.ts";
import type { Size } from "../src/index.ts";
import { inRepository } from "../tools/paths.ts";

/** Writes an example at the size of the edit: neither side has to resize it. */
export async function writeSource(file: string, { width, height }: Size): Promise<void> {
  await sharp(inRepository("examples", "bluebird.png"))
    .resize(width, height, { fit: "fill" })
    .png()
    .toFile(file);
}

/** Peak signal-to-noise ratio of two image files of one size, in decibels; Infinity where they are equal. */
export async function psnrOfFiles(fileA: string, fileB: string): Promise<number> {
  const [a, b] = await Promise.all([fileA, fileB].map((file) => sharp(file).removeAlpha().raw().toBuffer()));
  if (a!.length !== b!.length) throw new Error(`${fileA} and ${fileB} differ in size.`);
  return psnrOf(a!, b!);
}
