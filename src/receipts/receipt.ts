/**
 * What a result's receipt says: by what it was made, of what, and which pixels came of it. Texts stand in it as digests
 * alone, so that it reveals no prompt. It holds nothing that two runs of one edit on one machine differ in.
 */
import { sha256 } from "../sha256.ts";
import { canonicalJson, type Json } from "./canonical-json.ts";
import type { SigningKey } from "./keys.ts";

export const RECEIPT_TYPE = "retouch-receipt";
export const RECEIPT_VERSION = 1;

/** A text without its words. */
export interface TextDigest {
  /** Of its UTF-8. */
  sha256: string;
  /** UTF-16 units. */
  characters: number;
}

/** What an edit was made by and of; every digest is a SHA-256 in hex. */
export interface ReceiptFacts {
  /** Name and version of the program, and a digest of the code that makes pictures. */
  program: string;
  checkpoint: {
    name: string;
    /** Of its configurations, of each weight's key, type and shape, and of a sample of its numbers. */
    digest: string;
  };
  /** Of the ONNX graphs of all networks, without the places of their weights. */
  graph: string;
  /** The kind that each large network's weights were loaded in, by its name. */
  weights: Readonly<Record<string, string>>;
  arithmetic: string;
  runtime: string;
  device: string;
  processor: string;
  /** Side of the autoencoder's tiles, pixels. */
  tiles: string;
  /** Only where a FLUX.2 [klein] checkpoint ran so. */
  referenceCache?: string | undefined;
  /** `sha256` is that of the file, and after a colon that of the configuration beside it, if there is one. */
  loras: readonly { name: string; scale: number; sha256: string }[];
  /** The encoded images, in their order. */
  inputs: readonly FileDigest[];
  mask?: FileDigest | undefined;
  /** Of tensors that a program gave in place of texts or noise, by the request's fields. */
  tensors?: Readonly<Record<string, string>> | undefined;
  /** All in effect, by the library's names; the texts as {@link TextDigest}. */
  parameters: Readonly<Record<string, Json>>;
  seed: number;
  noise: {
    /** How it was drawn from the seed. */
    generator: string;
    /** Of the float32 numbers that the first step began with; absent if an interrupted run had drawn them. */
    sha256?: string | undefined;
    /** Which image of how many that share one draw, as a program alone can ask for. */
    batch?: { index: number; of: number } | undefined;
  };
  /** How much error reused steps could make. */
  reuse?: Json | undefined;
}

/** A file without its bytes. */
export interface FileDigest {
  sha256: string;
  bytes: number;
}

/** What came of it. */
export interface ReceiptResult {
  format: string;
  width: number;
  height: number;
  /** SHA-256 of its decoded pixels: see {@link pixelDigest}. */
  pixels: string;
  /** SHA-256 of its XMP packet, without the receipt in it. */
  metadata: string;
}

/** What is known of how a result was made, with a signature where there is a key. */
export interface Receipt extends ReceiptFacts {
  type: typeof RECEIPT_TYPE;
  version: typeof RECEIPT_VERSION;
  result: ReceiptResult;
  /** Of the whole file; only of a receipt beside it. */
  file?: FileDigest | undefined;
  /** Absent without a key. */
  signature?: ReceiptSignature | undefined;
}

export interface ReceiptSignature {
  algorithm: "Ed25519";
  /** Thumbprint of the key (RFC 7638). */
  key: string;
  /** Of the receipt's other members as RFC 8785 writes them, in base64url. */
  value: string;
}

/** What stands for a file in a receipt. */
export const digestOf = (bytes: Uint8Array): FileDigest => ({
  sha256: sha256(bytes),
  bytes: bytes.byteLength,
});
export const textDigest = (text: string): TextDigest => ({ sha256: sha256(text), characters: text.length });

/** The bytes that are signed. */
export function signedBytes(receipt: Receipt): Uint8Array {
  return Buffer.from(canonicalJson(jsonOf(withoutSignature(receipt))));
}

function withoutSignature(receipt: Receipt): Omit<Receipt, "signature"> {
  const { signature: _, ...others } = receipt;
  return others;
}

/** As a reader gets it: members that are undefined are none. */
const jsonOf = (receipt: Omit<Receipt, "signature">): Json => JSON.parse(JSON.stringify(receipt)) as Json;

/** @param key @default the receipt stays unsigned */
export function signed(receipt: Omit<Receipt, "signature">, key: SigningKey | undefined): Receipt {
  if (key === undefined) return receipt;
  const value = key.sign(signedBytes(receipt));
  return { ...receipt, signature: { algorithm: "Ed25519", key: key.id, value } };
}

/** The same about the whole file, which a receipt inside of it cannot tell. */
export const besideFile = (receipt: Receipt, file: Uint8Array, key: SigningKey | undefined): Receipt =>
  signed({ ...withoutSignature(receipt), file: digestOf(file) }, key);
