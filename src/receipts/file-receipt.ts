/** The receipt in a file, and whether the file is still the one that it is about. */
import { RetouchError } from "../errors.ts";
import { sha256 } from "../sha256.ts";
import { editProperty, readEditMetadata } from "../images/metadata.ts";
import { digestOfPixels, type FilePixels, readPixels } from "../images/pixel-digest.ts";
import { readXmp } from "../images/read-xmp.ts";
import { readReceipt } from "./read-receipt.ts";
import { digestOf, type Receipt, textDigest } from "./receipt.ts";

/** A result's file, as far as receipts are about it. */
export interface ReceiptFile {
  bytes: Uint8Array;
  pixels: FilePixels;
  /** Its XMP packet; absent if it has none. */
  packet: string | undefined;
}

/** @throws RetouchError IMAGE_INVALID for bytes that cannot be decoded */
export async function openReceiptFile(bytes: Uint8Array): Promise<ReceiptFile> {
  return { bytes, pixels: await readPixels(bytes), packet: await readXmp(bytes) };
}

/** @throws RetouchError RECEIPT_INVALID if there is none, or none that can be read */
export function receiptIn({ packet }: ReceiptFile): Receipt {
  const found = packet === undefined ? undefined : readEditMetadata(packet);
  if (found === undefined) {
    throw new RetouchError(
      "RECEIPT_INVALID",
      "The file has no receipt in it; --receipt names one beside it.",
    );
  }
  return readReceipt(found.receipt);
}

/**
 * Checks that the file is the one that its receipt is about.
 * @param options.isOnlyPicture whether its pixels alone count
 * @throws RetouchError RECEIPT_INVALID
 */
export function checkFile(
  { bytes, pixels, packet }: ReceiptFile,
  { result, file }: Receipt,
  { isOnlyPicture = false }: { isOnlyPicture?: boolean | undefined } = {},
): void {
  const refuse = (sentence: string): never => {
    throw new RetouchError("RECEIPT_INVALID", sentence);
  };
  if (digestOfPixels(pixels) !== result.pixels) {
    refuse("The picture was changed since its receipt was made: its pixels are others.");
  }
  if (isOnlyPicture) return;
  if (file !== undefined) {
    if (digestOf(bytes).sha256 !== file.sha256) {
      refuse("The file was changed since its receipt was made, though its pixels were not.");
    }
    return;
  }
  const others = packet === undefined ? undefined : readEditMetadata(packet)?.others;
  if (others === undefined || sha256(others) !== result.metadata) {
    refuse("The file's metadata was changed since its receipt was made, though its pixels were not.");
  }
}

export type ReceiptTextName = "prompt" | "prompt2" | "negativePrompt";

/** A text of the edit, where the file or the caller has the one of the receipt. */
export function textOf(
  name: ReceiptTextName,
  receipt: Receipt,
  { packet, given }: { packet: string | undefined; given: string | undefined },
): { isMissing: boolean; text: string | undefined } {
  const digest = receipt.parameters[name] as { sha256?: unknown } | undefined;
  if (digest === undefined) return { isMissing: false, text: undefined };
  const inFile = packet === undefined ? undefined : editProperty(packet, name);
  const text = [given, inFile].find((one) => one !== undefined && textDigest(one).sha256 === digest.sha256);
  return { isMissing: text === undefined, text };
}
