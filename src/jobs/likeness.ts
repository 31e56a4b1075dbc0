/** Which edits an engine can run together: those whose networks see the same sizes, and take the same steps. */
import { isNegativeUsed } from "../engine/request.ts";
import type { JobEdit } from "./job.ts";

/** What may differ: words, pictures of one size, what they are made of, and how the result is delivered. */
const FREE: ReadonlySet<string> = new Set([
  "prompt",
  "negativePrompt",
  "trueCfgScale",
  "seed",
  "guidance",
  "images",
  "lineage",
  "requestNotices",
  "isSafetyChecked",
  "isInlineResult",
  "isPreviewed",
  "numPartials",
  "bucket",
  "outputQuality",
] satisfies (keyof JobEdit)[]);

/**
 * Two edits can run together if this is equal for both; undefined for one that runs alone: with several results, inside a
 * mask, with accelerated steps, or with a picture whose size is not known.
 */
export function likenessOf(edit: JobEdit): string | undefined {
  const { images, mask, numImages = 1, acceleration } = edit;
  if (mask || numImages > 1 || acceleration === "auto") return undefined;
  const sizes = images.map((image) => (image.kind === "stored" ? image.size : undefined));
  if (sizes.includes(undefined)) return undefined;
  const same = Object.entries(edit).filter(([name, value]) => !FREE.has(name) && value !== undefined);
  // The database sorts the names of nested objects.
  const byName = same.toSorted(([one], [other]) => (one < other ? -1 : 1));
  const ofSizes = sizes.map((size) => [size!.width, size!.height]);
  return JSON.stringify([byName, ofSizes, isNegativeUsed(edit)]);
}
