/**
 * What an AVIF says about its still picture that the decoder does not read: colours by code points (nclx), and alpha that
 * is multiplied in (ISO/IEC 23008-12, sections 6.5.5 and 9). An animated file holds a still picture too, its first frame,
 * but the decoder knows it only by the brand of one (libheif 1.23.5 in sharp 0.35.5).
 */
import { type ColourEncoding, encodingOfCodes } from "./colour-encoding.ts";
import { findBox, isoBoxes } from "./iso-boxes.ts";
import { type PictureForm, type RefusedForm, refusedForm } from "./picture-form.ts";

const MAJOR_BRAND = 8;
const STILL = "avif";

export function avifForm(given: Uint8Array): PictureForm | RefusedForm {
  const brand = brandOf(given);
  // Files of any major brand may be AVIF by one of their others.
  const bytes = brand === STILL ? given : withBrand(given, STILL);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const primary = primaryItem(view);
  if (primary === undefined) {
    // Without one, a file is damaged, or a video.
    return brand === "avis"
      ? refusedForm("an animated AVIF without a still picture", "save its first frame as PNG")
      : { bytes };
  }
  const types = itemTypes(view);
  if (types.size > 0 && !types.has("av01"))
    return refusedForm("a HEIC/HEIF image", "convert it to JPEG or PNG");
  const encoding = encodingOf(view, primary);
  if (typeof encoding === "string") return refusedForm(`an AVIF image ${encoding}`);
  return { bytes, encoding, isPremultiplied: isPremultiplied(view, primary) };
}

const brandOf = (bytes: Uint8Array): string =>
  String.fromCharCode(...bytes.subarray(MAJOR_BRAND, MAJOR_BRAND + 4));

function withBrand(bytes: Uint8Array, brand: string): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy.set(Buffer.from(brand, "latin1"), MAJOR_BRAND);
  return copy;
}

function primaryItem(view: DataView): number | undefined {
  const box = findBox(view, ["meta", "pitm"]);
  if (box === undefined || box.byteLength < 6) return undefined;
  if (box.getUint8(0) === 0) return box.getUint16(4);
  return box.byteLength < 8 ? undefined : box.getUint32(4);
}

/** ItemInfoBox (`iinf`): how each item is coded. */
function itemTypes(view: DataView): Set<string> {
  const types = new Set<string>();
  const infos = findBox(view, ["meta", "iinf"]);
  if (infos === undefined || infos.byteLength < 8) return types;
  for (const { content } of isoBoxes(infos, infos.getUint8(0) === 0 ? 6 : 8)) {
    // Before the type: version and flags, the item's number, and its protection.
    const at = content.byteLength < 12 || content.getUint8(0) === 2 ? 8 : 10;
    if (at + 4 > content.byteLength) continue;
    types.add(String.fromCharCode(...[0, 1, 2, 3].map((offset) => content.getUint8(at + offset))));
  }
  return types;
}

/** A profile precedes code points, and the decoder reads it. */
function encodingOf(view: DataView, item: number): ColourEncoding | undefined | string {
  let codes: DataView | undefined;
  for (const { type, content } of propertiesOf(view, item)) {
    if (type !== "colr" || content.byteLength < 4) continue;
    const kind = String.fromCharCode(...[0, 1, 2, 3].map((offset) => content.getUint8(offset)));
    if (kind === "prof" || kind === "rICC") return undefined;
    if (kind === "nclx" && content.byteLength >= 11) codes = content;
  }
  // The decoder converts the range and the matrix.
  return codes && encodingOfCodes(codes.getUint16(4), codes.getUint16(6));
}

/** ItemPropertyAssociationBox (`ipma`): which of the properties are an item's. */
function propertiesOf(view: DataView, item: number): { type: string; content: DataView }[] {
  const container = findBox(view, ["meta", "iprp", "ipco"]);
  const links = findBox(view, ["meta", "iprp", "ipma"]);
  if (container === undefined || links === undefined || links.byteLength < 8) return [];
  const properties = [...isoBoxes(container)];
  const [idBytes, linkBytes] = [links.getUint8(0) < 1 ? 2 : 4, (links.getUint8(3) & 1) === 1 ? 2 : 1];
  const numItems = links.getUint32(4);
  let at = 8;
  for (let i = 0; i < numItems && at + idBytes + 1 <= links.byteLength; i++) {
    const id = idBytes === 2 ? links.getUint16(at) : links.getUint32(at);
    const numLinks = links.getUint8(at + idBytes);
    at += idBytes + 1;
    const end = at + numLinks * linkBytes;
    if (end > links.byteLength) return [];
    if (id === item) {
      const indices = Array.from({ length: numLinks }, (_, k) =>
        linkBytes === 2 ? links.getUint16(at + 2 * k) & 0x7fff : links.getUint8(at + k) & 0x7f,
      );
      // They count from 1.
      return indices.flatMap((index) => properties[index - 1] ?? []);
    }
    at = end;
  }
  return [];
}

/** A reference of the kind `prem` from the picture to its alpha. */
function isPremultiplied(view: DataView, item: number): boolean {
  const references = findBox(view, ["meta", "iref"]);
  if (references === undefined || references.byteLength < 4) return false;
  const isWide = references.getUint8(0) > 0;
  for (const { type, content } of isoBoxes(references, 4)) {
    if (type !== "prem" || content.byteLength < 4) continue;
    if ((isWide ? content.getUint32(0) : content.getUint16(0)) === item) return true;
  }
  return false;
}
