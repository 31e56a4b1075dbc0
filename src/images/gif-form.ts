/**
 * Where the first frame of a GIF lies (https://www.w3.org/Graphics/GIF/spec-gif89a.txt). The decoder leaves black around
 * an opaque one that is smaller than the picture, where browsers show nothing.
 */
import type { PictureForm } from "./picture-form.ts";

const HEADER_BYTES = 13;
const [EXTENSION, IMAGE] = [0x21, 0x2c];

export function gifForm(bytes: Uint8Array): PictureForm {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES) return { bytes };
  const flags = view.getUint8(10);
  let at = HEADER_BYTES + ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));
  // An extension: two bytes, then blocks of a length each, up to one of none.
  while (bytes[at] === EXTENSION) {
    at += 2;
    while ((bytes[at] ?? 0) !== 0) at += 1 + bytes[at]!;
    at += 1;
  }
  if (bytes[at] !== IMAGE || at + 9 > bytes.length) return { bytes };
  const [left, top, width, height] = [1, 3, 5, 7].map((offset) => view.getUint16(at + offset, true)) as [
    number,
    number,
    number,
    number,
  ];
  const isWhole =
    left === 0 && top === 0 && width >= view.getUint16(6, true) && height >= view.getUint16(8, true);
  return isWhole ? { bytes } : { bytes, frame: { left, top, width, height } };
}
