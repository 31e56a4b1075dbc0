/** `retouch calibrate`: finds out how far the steps of a checkpoint's edits can be reused. */
import { loadCacheFolder } from "../config/config.ts";
import { invalid } from "../errors.ts";
import { calibrate, type EditRequest, SHIPPED_CHECKPOINT } from "../index.ts";
import { entriesOfFile } from "./batch/collect.ts";
import { type Entry, isFault } from "./batch/entry.ts";
import { createSources } from "./batch/sources.ts";
import { exampleEdits } from "./calibration-edits.ts";
import { showConversion } from "./conversion.ts";
import { type EngineFlags, engineOptionsOf } from "./engine-options.ts";
import { printText } from "./output.ts";
import { createProgress } from "./progress.ts";
import { COMMAND, wordedBy } from "./surfaces.ts";

/** The flags as commander passes them. */
export interface CalibrateFlags extends EngineFlags {
  json?: boolean | undefined;
  quiet?: boolean | undefined;
}

/**
 * Makes the edits of a file, or examples, and keeps what came of them.
 * @param file of edits, as `retouch batch` takes it
 * @throws RetouchError with a sentence for the user
 */
export function runCalibrate(
  file: string | undefined,
  flags: CalibrateFlags,
  signal: AbortSignal,
): Promise<void> {
  return wordedBy(COMMAND, async () => {
    const progress = createProgress(process.stderr, !flags.quiet && !flags.json);
    try {
      progress.phase("reading the edits");
      const edits = file === undefined ? await exampleEdits() : await editsOfFile(file, signal);
      const { loras: _, safety: __, ...options } = await engineOptionsOf(flags, {});
      const kept = await calibrate({
        ...options,
        checkpoint: options.checkpoint ?? SHIPPED_CHECKPOINT,
        cacheFolder: loadCacheFolder(),
        edits,
        onConversion: showConversion(progress),
        onEdit: ({ edit, of }) => progress.phase(`edit ${edit} of ${of}`),
        signal,
      });
      progress.clear();
      if (flags.quiet) return;
      await printText(process.stdout, flags.json ? `${JSON.stringify(kept)}\n` : textOf(kept));
    } finally {
      progress.clear();
    }
  });
}

async function editsOfFile(file: string, signal: AbortSignal): Promise<EditRequest[]> {
  const options = { loras: [], isFromOriginal: false, isOwn: async () => false, say: () => {} };
  const entries = await entriesOfFile(file, options);
  const sources = createSources(signal);
  const edits: EditRequest[] = [];
  for (const entry of entries) {
    if (isFault(entry)) throw entry.error;
    edits.push(await requestOf(entry, sources));
  }
  return edits;
}

async function requestOf(
  { line, images, parent, isFromOriginal, pictures, parameters }: Entry,
  sources: ReturnType<typeof createSources>,
): Promise<EditRequest> {
  const continued = parent ? "parent" : isFromOriginal === true ? "fromOriginal" : undefined;
  if (continued !== undefined) {
    throw invalid("unsupported", { field: continued, reason: "a calibration makes no edits of edits" });
  }
  if (parameters.loras !== undefined && parameters.loras.length > 0) {
    throw invalid("unsupported", { field: "loras", reason: "a calibration is that of a checkpoint alone" });
  }
  const read: Uint8Array[] = [];
  for (const source of images) read.push(await sources.read(source));
  const { mask } = pictures;
  // Edits without a seed would be others each time.
  return { seed: line ?? 0, ...parameters, image: read, mask: mask && (await sources.read(mask)) };
}

function textOf({ calibration, file }: Awaited<ReturnType<typeof calibrate>>): string {
  const { edits, gains, arithmetic } = calibration;
  const rows = gains.map(({ downTo, gain }) => `  noise from ${downTo}  ${gain.toPrecision(3)}\n`);
  const losses = Object.entries(arithmetic).map(
    ([name, levels]) => `  ${name}  ${levels.toPrecision(3)} levels\n`,
  );
  return [
    `${file}\n`,
    `levels of 8 bits that an error of 1 in the latents becomes, by ${edits} edits:\n`,
    ...rows,
    `what the arithmetic costs:\n`,
    ...losses,
  ].join("");
}
