/** Makes the edit of a receipt again, on this machine. */
import {
  createEngine,
  differencesOf,
  loraDigest,
  openReceiptFile,
  pixelPsnr,
  type Receipt,
  type ReceiptFile,
  type ReferenceCache,
  repeatEdit,
  requestOf,
  RetouchError,
  stepOfAll,
  weightsOf,
} from "../../index.ts";
import { showConversion } from "../conversion.ts";
import { orAborted } from "../edit.ts";
import { type EngineFlags, engineOptionsOf } from "../engine-options.ts";
import type { createProgress } from "../progress.ts";
import { oneLine } from "../report.ts";
import type { GivenSources } from "./given-sources.ts";

/** What came of it. */
export interface Again {
  /** Decibels from the file's picture; Infinity where they are equal. */
  psnr: number;
  /** What was otherwise than it was, as a sentence names it. */
  differences: readonly string[];
}

export interface MakingAgain {
  flags: EngineFlags & { lora?: string[] | undefined };
  signal: AbortSignal;
  progress: ReturnType<typeof createProgress>;
  pipelines?: Parameters<typeof createEngine>[1];
}

/** @throws RetouchError RECEIPT_INVALID for another checkpoint, LoRA or size; as the engine */
export async function makeAgain(
  file: ReceiptFile,
  receipt: Receipt,
  { images, mask, texts }: GivenSources & { texts: Readonly<Record<string, string>> },
  { flags, signal, progress, pipelines }: MakingAgain,
): Promise<Again> {
  const request = requestOf(receipt, { images, mask, texts });
  const loras = await loraFilesOf(receipt, flags.lora ?? []);
  progress.phase("loading the checkpoint");
  const options = await engineOptionsOf(flags, loras);
  const engine = await orAborted(
    createEngine(
      {
        ...options,
        weights: flags.weights ?? weightsOf(receipt),
        referenceCache: (flags.referenceCache ?? receipt.referenceCache) as ReferenceCache | undefined,
        contentCredentials: undefined,
        // The result has passed once, and it is shown to nobody.
        safety: { isOn: false },
        isLoadedAhead: false,
        onConversion: showConversion(progress),
      },
      pipelines,
    ),
    signal,
  );
  try {
    const digest = await engine.digest();
    if (digest !== receipt.checkpoint.digest) {
      throw refused(
        `The edit was made with another checkpoint: ${oneLine(receipt.checkpoint.name)} (${short(receipt.checkpoint.digest)}), and this is ${oneLine(engine.checkpoint.name)} (${short(digest)}); --checkpoint names the other.`,
      );
    }
    progress.phase("reading the prompt and the image");
    const { results } = await repeatEdit(engine, receipt, request, {
      signal,
      onStep: (step) => progress.step({ ...stepOfAll(step), seconds: step.seconds }),
    });
    const [made] = results;
    const { pixels } = await openReceiptFile(made!.image);
    const isOneForm =
      pixels.data.length === file.pixels.data.length &&
      pixels.width === file.pixels.width &&
      pixels.data.BYTES_PER_ELEMENT === file.pixels.data.BYTES_PER_ELEMENT;
    if (!isOneForm) {
      throw refused(
        `Made again, the picture has ${pixels.width} x ${pixels.height} pixels or other channels, and the file's has ${file.pixels.width} x ${file.pixels.height}.`,
      );
    }
    return { psnr: pixelPsnr(file.pixels, pixels), differences: differencesOf(receipt, made!.receipt!) };
  } finally {
    if (!signal.aborted) await engine.close();
  }
}

/** The files of the receipt's LoRAs by their names there: each is known by its digest. */
async function loraFilesOf({ loras }: Receipt, files: readonly string[]): Promise<Record<string, string>> {
  const byDigest = new Map<string, string>();
  for (const file of files) byDigest.set(await loraDigest(file), file);
  const found: [string, string][] = [];
  for (const { name, sha256 } of loras) {
    const file = byDigest.get(sha256);
    if (file === undefined) {
      const given = files.length === 0 ? "--lora names its file" : "no file of --lora has that SHA-256";
      throw refused(`The edit was made with the LoRA ${oneLine(name)} (${short(sha256)}); ${given}.`);
    }
    found.push([name, file]);
  }
  return Object.fromEntries(found);
}

const short = (digest: string): string => digest.slice(0, 12);

const refused = (sentence: string): RetouchError => new RetouchError("RECEIPT_INVALID", sentence);
