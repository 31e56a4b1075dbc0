/** Which of the JPEG standard's processes a file uses: only some are decoded right. */
import type { PictureForm, RefusedForm } from "./picture-form.ts";
import { refusedForm } from "./picture-form.ts";

/** Baseline, extended, progressive, and lossless, all of them with Huffman codes (ITU-T T.81, table B.1). */
const RIGHT = new Set([0xc0, 0xc1, 0xc2, 0xc3]);
const NOT_A_FRAME = new Set([0xc4, 0xc8, 0xcc]);
const JPEG_LS = 0xf7;
const START_OF_SCAN = 0xda;

export function jpegForm(bytes: Uint8Array): PictureForm | RefusedForm {
  const frame = frameOf(bytes);
  // Without a frame it is damaged, which the decoder says.
  if (frame === undefined) return { bytes };
  const { process, bits, height, numComponents } = frame;
  if (process === JPEG_LS) return refusedForm("a JPEG-LS image", "save it as PNG, or as plain JPEG");
  if (process >= 0xc9 && process <= 0xcf) return refusedForm("a JPEG image in arithmetic coding");
  if (!RIGHT.has(process)) return refusedForm("a hierarchical JPEG image");
  if (bits !== 8) return refusedForm(`a JPEG image of ${bits} bits per channel`, "save it as PNG");
  if (![1, 3, 4].includes(numComponents)) return refusedForm(`a JPEG image of ${numComponents} channels`);
  if (height === 0) return refusedForm("a JPEG image that does not say its height");
  return { bytes };
}

interface Frame {
  /** The marker's code. */
  process: number;
  bits: number;
  height: number;
  width: number;
  numComponents: number;
}

export function frameOf(bytes: Uint8Array): Frame | undefined {
  for (let at = 2; at + 10 <= bytes.length;) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1]!;
    // Any number of fill bytes may precede a marker.
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (marker === START_OF_SCAN) return undefined;
    const isFrame = (marker >= 0xc0 && marker <= 0xcf && !NOT_A_FRAME.has(marker)) || marker === JPEG_LS;
    if (isFrame) {
      const height = bytes[at + 5]! * 256 + bytes[at + 6]!;
      const width = bytes[at + 7]! * 256 + bytes[at + 8]!;
      return { process: marker, bits: bytes[at + 4]!, height, width, numComponents: bytes[at + 9]! };
    }
    at += 2 + bytes[at + 2]! * 256 + bytes[at + 3]!;
  }
  return undefined;
}
