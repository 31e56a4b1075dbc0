/** Collects the entries of a batch: the lines of a file, or the images and folders of the command line. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { failure, invalid, RetouchError } from "../../errors.ts";
import type { Entry, Fault, Parameters, Source } from "./entry.ts";
import { findPictures } from "./image-folder.ts";
import { inputOfFields, nameOfSource, parseJobLine, readJobFields, sourceOf } from "./job-line.ts";
import { readJobsFile } from "./jobs-file.ts";
import { LIMITS } from "./limits.ts";
import type { CollectContext } from "./run.ts";

/** @throws RetouchError INVALID_PARAMETER if the file cannot be read, is too large or has no line */
export async function entriesOfFile(
  file: string,
  { loras, isFromOriginal }: CollectContext,
): Promise<(Entry | Fault)[]> {
  const folder = path.dirname(path.resolve(file));
  const lines = await readJobsFile(file);
  if (lines.length === 0) throw new RetouchError("INVALID_PARAMETER", `${file} has no lines.`);
  const entries = lines.map(({ line, text, fault }): Entry | Fault => {
    if (text === undefined) {
      return { line, input: "", error: new RetouchError("INVALID_PARAMETER", `it ${fault}.`) };
    }
    let input = "";
    try {
      const fields = parseJobLine(text);
      input = inputOfFields(fields);
      return readJobFields(fields, { line, folder, loras, isFromOriginal });
    } catch (error) {
      if (!(error instanceof RetouchError)) throw error;
      return { line, input, error };
    }
  });
  refuseTooMany(entries);
  return entries;
}

/** What all edits of a command line have in common. */
export interface EachEdit {
  parameters: Parameters;
  numImages: number;
  /** Further images that each edit looks at. */
  others: readonly string[];
  /** Further pictures of each request, by the library's field. */
  pictures: Readonly<Record<string, string>>;
}

/**
 * One entry for each image, and for each picture in a folder.
 * @throws RetouchError INVALID_PARAMETER for too many, or for none
 */
export async function entriesOfImages(
  images: readonly string[],
  { parameters, numImages, others, ...each }: EachEdit,
  { isOwn, say, isFromOriginal }: CollectContext,
): Promise<(Entry | Fault)[]> {
  const here = process.cwd();
  const looked = others.map((given) => sourceOf("image", given, here));
  const pictures = Object.fromEntries(
    Object.entries(each.pictures).map(([field, given]) => [field, sourceOf(field, given, here)]),
  );
  const entryOf = (first: Source, name: string | undefined): Entry => ({
    images: [first, ...looked],
    isFromOriginal,
    pictures,
    parameters,
    numImages,
    name,
  });
  const entries: (Entry | Fault)[] = [];
  for (const given of images) {
    const source = sourceOf("image", given, here);
    if (!(await isFolder(source))) {
      entries.push(entryOf(source, nameOfSource(source)));
      continue;
    }
    const found = await findPictures(given, isOwn);
    if (found.others > 0) {
      say(`${found.others} files in ${given} do not have the name of an image and are skipped.`);
    }
    for (const { folder, reason } of found.unreadable) {
      const error = new RetouchError(
        "IMAGE_UNREADABLE",
        failure("imageUnreadable", { source: folder, reason }),
      );
      entries.push({ input: folder, error });
    }
    for (const file of found.files) {
      const inside = path.join(given, ...file.split("/"));
      entries.push(entryOf({ given: inside, source: path.resolve(inside) }, file));
    }
    refuseTooMany(entries);
  }
  if (entries.length === 0) {
    throw new RetouchError("INVALID_PARAMETER", `${images.join(", ")}: there are no images in it.`);
  }
  refuseTooMany(entries);
  return entries;
}

function refuseTooMany(entries: readonly (Entry | Fault)[]): void {
  let count = 0;
  for (const entry of entries) count += "numImages" in entry ? entry.numImages : 1;
  if (count <= LIMITS.edits) return;
  throw invalid("about", {
    field: "image",
    sentence: `there are ${count.toLocaleString("en")} results to make; a batch has at most ${LIMITS.edits.toLocaleString("en")}.`,
  });
}

async function isFolder({ source }: Source): Promise<boolean> {
  if (/^(?:https?|data|file):/i.test(source)) return false;
  return (await stat(source).catch(() => undefined))?.isDirectory() ?? false;
}
