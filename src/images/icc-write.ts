/**
 * Writes the colour profile of RGB primaries and one curve (ICC.1:2022, version 4.4), for files whose source said its
 * colours by code points or chromaticities, which not every format and program reads.
 */
import type { Transfer } from "./colour-encoding.ts";
import { type Matrix, type Primaries, toD50From, toXyz, multiplied, D50, whiteOf } from "./colour-matrix.ts";

const HEADER_BYTES = 128;
const ENTRY_BYTES = 12;
const FIXED = 65_536;
/** g, a, b, c, d of IEC 61966-2-1, as a parametric curve of kind 3 has them. */
const SRGB_CURVE = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045];

/** @param transfer sRGB's curve or a power */
export function writeProfile(primaries: Primaries, transfer: Transfer): Uint8Array {
  const adaptation = toD50From(whiteOf(primaries));
  const matrix = multiplied(adaptation, toXyz(primaries));
  const column = (i: number): Buffer => xyz([matrix[0][i]!, matrix[1][i]!, matrix[2][i]!]);
  const curve = parametric(transfer.kind === "gamma" ? [transfer.exponent] : SRGB_CURVE);
  return assembled([
    ["desc", text("RGB of the source")],
    ["cprt", text("CC0")],
    ["wtpt", xyz(D50)],
    ["chad", chad(adaptation)],
    ["rXYZ", column(0)],
    ["gXYZ", column(1)],
    ["bXYZ", column(2)],
    ["rTRC", curve],
    ["gTRC", curve],
    ["bTRC", curve],
  ]);
}

function assembled(tags: readonly (readonly [string, Buffer])[]): Uint8Array {
  const places = new Map<Buffer, number>();
  let length = HEADER_BYTES + 4 + ENTRY_BYTES * tags.length;
  for (const [, content] of tags) {
    if (places.has(content)) continue;
    places.set(content, length);
    length += Math.ceil(content.length / 4) * 4;
  }
  const profile = Buffer.alloc(length);
  profile.writeUInt32BE(length, 0);
  profile.writeUInt32BE(0x04400000, 8);
  profile.write("mntrRGB XYZ ", 12, "latin1");
  // A fixed date, so that equal sources give equal files.
  for (const [i, part] of [2026, 1, 1].entries()) profile.writeUInt16BE(part, 24 + 2 * i);
  profile.write("acsp", 36, "latin1");
  fixed(D50).copy(profile, 68);
  profile.writeUInt32BE(tags.length, HEADER_BYTES);
  for (const [i, [name, content]] of tags.entries()) {
    const entry = HEADER_BYTES + 4 + ENTRY_BYTES * i;
    profile.write(name, entry, "latin1");
    profile.writeUInt32BE(places.get(content)!, entry + 4);
    profile.writeUInt32BE(content.length, entry + 8);
    content.copy(profile, places.get(content)!);
  }
  return new Uint8Array(profile);
}

const tag = (kind: string, ...parts: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from(kind.padEnd(8, "\0"), "latin1"), ...parts]);

/** Numbers as s15Fixed16. */
function fixed(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeInt32BE(Math.round(number * FIXED), 4 * i);
  return bytes;
}

const words = (...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(2 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeUInt16BE(number, 2 * i);
  return bytes;
};

const xyz = (numbers: readonly number[]): Buffer => tag("XYZ ", fixed(numbers));
const chad = (matrix: Matrix): Buffer => tag("sf32", fixed(matrix.flat()));
/** Kind 0 has the power alone, kind 3 a linear part as well. */
const parametric = (numbers: readonly number[]): Buffer =>
  tag("para", words(numbers.length === 1 ? 0 : 3, 0), fixed(numbers));

/** multiLocalizedUnicode with one record, in English. */
function text(content: string): Buffer {
  const utf16 = Buffer.from(content, "utf16le").swap16();
  const head = Buffer.alloc(20);
  head.writeUInt32BE(1, 0);
  head.writeUInt32BE(12, 4);
  head.write("enUS", 8, "latin1");
  head.writeUInt32BE(utf16.length, 12);
  head.writeUInt32BE(28, 16);
  return tag("mluc", head, utf16);
}
