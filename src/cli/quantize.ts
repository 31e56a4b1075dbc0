/** `retouch quantize`: converts the large networks of a checkpoint ahead of their first use. */
import { loadCacheFolder } from "../config/config.ts";
import {
  convertCheckpoint,
  type ConvertedNetwork,
  RetouchError,
  SHIPPED_CHECKPOINT,
  type WeightsChoice,
} from "../index.ts";
import { sizeText } from "../machine/size-text.ts";
import { checkpointFolder } from "./checkpoint.ts";
import { showConversion } from "./conversion.ts";
import { printText } from "./output.ts";
import { createProgress } from "./progress.ts";

/** The flags as commander passes them. */
export interface QuantizeFlags {
  weights: WeightsChoice;
  checkpoint?: string | undefined;
  transformer?: string | undefined;
  textEncoder?: string | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
}

/** Converts what the cache lacks, and prints where it is and how accurate. @throws RetouchError */
export async function runQuantize(flags: QuantizeFlags, signal: AbortSignal): Promise<void> {
  const { weights: kind, transformer, textEncoder } = flags;
  if (kind === "auto" || kind === "fp32") {
    throw new RetouchError("INVALID_PARAMETER", `--weights must be fp16, bf16, int8 or int4, not ${kind}.`);
  }
  const progress = createProgress(process.stderr, !flags.quiet && !flags.json);
  try {
    const folder = (await checkpointFolder(flags.checkpoint)) ?? SHIPPED_CHECKPOINT;
    const networks = await convertCheckpoint(folder, { transformer, textEncoder }, kind, {
      folder: loadCacheFolder(),
      onProgress: showConversion(progress),
      signal,
    });
    progress.clear();
    if (flags.quiet) return;
    await printText(
      process.stdout,
      flags.json ? `${JSON.stringify({ kind, networks })}\n` : textOf(networks),
    );
  } finally {
    progress.clear();
  }
}

function textOf(networks: readonly ConvertedNetwork[]): string {
  return networks
    .map(({ network, file, byteLength, isNew, errors }) => {
      if (file === null)
        return `${network}  is already in the checkpoint like this: ${sizeText(byteLength)}\n`;
      const state = isNew ? "" : ", which was already there";
      return `${network}  ${file}\n  ${sizeText(byteLength)}${state}\n${errorLine(errors)}`;
    })
    .join("");
}

/** Error of the converted weights: the median and the worst. */
function errorLine(errors: ConvertedNetwork["errors"]): string {
  if (errors.length === 0) return "";
  const sorted = errors.toSorted((a, b) => a.relativeError - b.relativeError);
  const [median, worst] = [sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!];
  const percent = (share: number): string => `${(100 * share).toPrecision(2)} %`;
  return `  ${errors.length} rounded weights are off by ${percent(median.relativeError)} (median), at most ${percent(worst.relativeError)} (${worst.key})\n`;
}
