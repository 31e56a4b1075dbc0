/** `retouch verify`: checks a result's receipt, then makes the edit again and compares. */
import {
  checkFile,
  createEngine,
  openReceiptFile,
  readImageSource,
  readReceipt,
  type Receipt,
  type ReceiptFile,
  receiptIn,
  RECEIPT_TEXTS,
  RetouchError,
  signerOf,
  textOf,
} from "../../index.ts";
import type { EngineFlags } from "../engine-options.ts";
import { printText } from "../output.ts";
import { createProgress } from "../progress.ts";
import { checkSources, type GivenSources, readSources } from "./given-sources.ts";
import { type Again, makeAgain } from "./make-again.ts";
import { readText } from "./small-text.ts";
import { trustedKeys } from "./trusted-keys.ts";
import { verdictJson, verdictText } from "./verdict.ts";

/** The flags as commander passes them. */
export interface VerifyFlags extends EngineFlags {
  source?: string[] | undefined;
  mask?: string | undefined;
  receipt?: string | undefined;
  key?: string[] | undefined;
  unsigned?: boolean | undefined;
  pictureOnly?: boolean | undefined;
  prompt?: string | undefined;
  prompt2?: string | undefined;
  negativePrompt?: string | undefined;
  lora?: string[] | undefined;
  minPsnr?: number | undefined;
  /** False where the edit is not to be made again. */
  again?: boolean | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
}

/** A source of 64 megapixels in 16 bits, as a PNG that nothing could be compressed of. */
const MAX_FILE_BYTES = 512 * 2 ** 20;
/** With 8-bit products instead of float32 the same picture comes out above this; below, it is another one. */
export const LEAST_PSNR = 30;

/** @throws RetouchError RECEIPT_INVALID for anything that is not as the receipt says */
export async function runVerify(
  file: string,
  flags: VerifyFlags,
  { signal, pipelines }: { signal: AbortSignal; pipelines?: Parameters<typeof createEngine>[1] },
): Promise<void> {
  const keys = await trustedKeys(flags.key ?? [], signal);
  const { bytes } = await readImageSource(file, { signal, isVerified: true, maxBytes: MAX_FILE_BYTES });
  const opened = await openReceiptFile(bytes);
  const receipt =
    flags.receipt === undefined
      ? receiptIn(opened)
      : readReceipt(await readText("The receipt", flags.receipt, signal));
  const signer = signerOf(receipt, keys);
  if (signer === undefined && !flags.unsigned) {
    throw refused(
      "The receipt is not signed, so anybody may have written it; --unsigned takes it all the same.",
    );
  }
  checkFile(opened, receipt, { isOnlyPicture: flags.pictureOnly });
  const again =
    flags.again === false ? undefined : await compareAgain(opened, receipt, flags, signal, pipelines);
  const verdict = { receipt, signer, again };
  if (!flags.quiet) await printText(process.stdout, flags.json ? verdictJson(verdict) : verdictText(verdict));
  const { minPsnr = LEAST_PSNR } = flags;
  if (again !== undefined && again.psnr < minPsnr) {
    throw refused(
      `Made again, the picture is ${again.psnr.toFixed(1)} dB from the file's, which is less than ${minPsnr} dB (--min-psnr).`,
    );
  }
}

async function compareAgain(
  file: ReceiptFile,
  receipt: Receipt,
  flags: VerifyFlags,
  signal: AbortSignal,
  pipelines: Parameters<typeof createEngine>[1],
): Promise<Again> {
  const sources = await readSources(flags, signal);
  checkSources(receipt, sources);
  const inputs: GivenSources & { texts: Record<string, string> } = {
    ...sources,
    texts: textsOf(file, receipt, flags),
  };
  const progress = createProgress(process.stderr, !flags.quiet && !flags.json);
  try {
    return await makeAgain(file, receipt, inputs, { flags, signal, progress, pipelines });
  } finally {
    progress.clear();
  }
}

const FLAG_OF = { prompt: "--prompt", prompt2: "--prompt-2", negativePrompt: "--negative-prompt" } as const;

/** The receipt has their digests alone. */
function textsOf({ packet }: ReceiptFile, receipt: Receipt, flags: VerifyFlags): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const name of RECEIPT_TEXTS) {
    const given = flags[name];
    const { isMissing, text } = textOf(name, receipt, { packet, given });
    if (isMissing) {
      throw refused(
        given === undefined
          ? `The receipt has only a digest of the text that ${FLAG_OF[name]} gives, so it must be given.`
          : `${FLAG_OF[name]} is another text than that of the receipt.`,
      );
    }
    if (text !== undefined) texts[name] = text;
  }
  return texts;
}

const refused = (sentence: string): RetouchError => new RetouchError("RECEIPT_INVALID", sentence);
