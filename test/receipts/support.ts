/** A receipt as an edit makes it, and the file that it is about. */
import { encodePicture } from "../../src/images/encode.ts";
import { editMetadata } from "../../src/images/metadata.ts";
import type { OutputFormat } from "../../src/images/output-format.ts";
import { readSigningKey, type SigningKey } from "../../src/receipts/keys.ts";
import { writeWithReceipt } from "../../src/receipts/placed-receipt.ts";
import type { ReceiptFacts } from "../../src/receipts/receipt.ts";
import { sha256 } from "../../src/sha256.ts";

export const KEY: SigningKey = readSigningKey("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")!;

export const FACTS: ReceiptFacts = {
  program: "retouch 0.1.0 0123456789abcdef",
  checkpoint: { name: "tiny", digest: sha256("checkpoint") },
  graph: sha256("graph"),
  weights: { network: "fp32" },
  arithmetic: "fp32",
  runtime: "onnxruntime 1, Node v20",
  device: "cpu float32",
  processor: "any",
  tiles: "none",
  loras: [{ name: `it's <"&"> \uFFFF`, scale: 0.5, sha256: `${sha256("a")}:${sha256("b")}` }],
  inputs: [{ sha256: sha256("source"), bytes: 6 }],
  parameters: { prompt: { sha256: sha256("Make it night"), characters: 13 }, numSteps: 2 },
  seed: 2 ** 53 - 1,
  noise: { generator: "PyTorch CPU (MT19937)", sha256: sha256("noise") },
};

export const SIDE = 96;
/** With a gradient, so that no format can store it in nothing. */
export const PICTURE = {
  width: SIDE,
  height: SIDE,
  data: Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => (i * 7 + (i >> 5)) & 255),
};

export const writeFor = (
  format: OutputFormat,
  key: SigningKey | null = KEY,
  prompt?: string,
): ReturnType<typeof writeWithReceipt> =>
  writeWithReceipt({
    facts: FACTS,
    result: { format, width: SIDE, height: SIDE },
    key: key ?? undefined,
    packet: (receipt) =>
      editMetadata({ model: "tiny", version: "0.1.0", seed: 1, numSteps: 2, guidance: 2, prompt }, receipt),
    write: (xmp) => encodePicture(PICTURE, format, xmp),
  });
