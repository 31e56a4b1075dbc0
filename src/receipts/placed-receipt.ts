/**
 * A receipt inside the file that it is about. It tells the pixels that a reader gets, which are known once the file is
 * written. So the file is written with a receipt as long as the final one, decoded, and the final one is put in its place.
 */
import { pixelDigest } from "../images/pixel-digest.ts";
import { mendXmpChecksum } from "../images/png-chunks.ts";
import { sha256 } from "../sha256.ts";
import type { SigningKey } from "./keys.ts";
import {
  besideFile,
  type Receipt,
  RECEIPT_TYPE,
  RECEIPT_VERSION,
  type ReceiptFacts,
  type ReceiptResult,
  signed,
} from "./receipt.ts";

export interface ReceiptPlace {
  facts: ReceiptFacts;
  result: Omit<ReceiptResult, "pixels" | "metadata">;
  /** @default the receipt stays unsigned */
  key: SigningKey | undefined;
  /** The XMP packet with a receipt's JSON, or without any. */
  packet: (receipt?: string) => string;
  /** Writes the file with a packet. */
  write: (packet: string) => Promise<Uint8Array>;
  /** Signs the file around it, once its receipt is in it. @default nothing does */
  seal?: ((file: Uint8Array) => Promise<Uint8Array>) | undefined;
}

const PIXELS = "0".repeat(64);
const SIGNATURE = "A".repeat(86);

/** Writes a file with its receipt. @returns also the receipt that goes beside it */
export async function writeWithReceipt({
  facts,
  result,
  key,
  packet,
  write,
  seal,
}: ReceiptPlace): Promise<{ image: Uint8Array; receipt: Receipt }> {
  const metadata = sha256(packet());
  const receiptOf = (pixels: string): Omit<Receipt, "signature"> => ({
    type: RECEIPT_TYPE,
    version: RECEIPT_VERSION,
    ...facts,
    result: { ...result, pixels, metadata },
  });
  const blank = key && { algorithm: "Ed25519" as const, key: key.id, value: SIGNATURE };
  const before = packet(receiptText({ ...receiptOf(PIXELS), signature: blank }));
  const written = await write(before);
  const receipt = signed(receiptOf(await pixelDigest(written)), key);
  replacePacket(written, before, packet(receiptText(receipt)));
  const image = seal ? await seal(written) : written;
  return { image, receipt: besideFile(receipt, image, key) };
}

/** On one line, of characters that XML has. */
export const receiptText = (receipt: Receipt): string =>
  JSON.stringify(receipt).replaceAll(
    /[\uFFFE\uFFFF]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16)}`,
  );

/** Puts one packet in the place of another of the same length. */
function replacePacket(image: Uint8Array, before: string, after: string): void {
  const file = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const [from, to] = [Buffer.from(before), Buffer.from(after)];
  const at = file.indexOf(from);
  if (at < 0 || from.length !== to.length) throw new Error("The file has no place for the receipt.");
  to.copy(file, at);
  mendXmpChecksum(file, at, to.length);
}
