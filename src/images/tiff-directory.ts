/**
 * The first directory of a TIFF file: its tags and their numbers. TIFF 6.0, pages 13 to 16; BigTIFF has the same in
 * eight-byte offsets (https://libtiff.gitlab.io/libtiff/specification/bigtiff.html).
 */

/** Numbers of one tag that are read: the longest list that decides anything is one number per channel. */
const MAX_VALUES = 32;
const MAX_TAGS = 4096;
/** Bytes of a value, by the type's code. Only whole numbers are read. */
const TYPE_BYTES: Readonly<Record<number, 1 | 2 | 4 | 8>> = { 1: 1, 3: 2, 4: 4, 13: 4, 16: 8 };

export interface TiffTag {
  /** The first numbers of it; none if they are no whole numbers, or lie outside of the file. */
  values: readonly number[];
  /** Where the first value is. */
  offset: number;
  bytesPerValue: number;
}

export interface TiffDirectory {
  tags: ReadonlyMap<number, TiffTag>;
  isLittleEndian: boolean;
  /** The bytes that say where the next directory is, all 0 if there is none; absent where the file ends before them. */
  link?: { start: number; end: number } | undefined;
}

/** Reads the first directory, as far as it is there: damage is left for the decoder to find. */
export function readTiffDirectory(bytes: Uint8Array): TiffDirectory {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittleEndian = bytes[0] === 0x49;
  const tags = new Map<number, TiffTag>();
  if (bytes.length < 16) return { tags, isLittleEndian };
  const isBig = view.getUint16(2, isLittleEndian) === 43;
  const wordAt = (at: number): number =>
    isBig ? Number(view.getBigUint64(at, isLittleEndian)) : view.getUint32(at, isLittleEndian);
  const start = wordAt(isBig ? 8 : 4);
  const [countBytes, entryBytes, inlineBytes, linkBytes] = isBig ? [8, 20, 8, 8] : [2, 12, 4, 4];
  if (start + countBytes > bytes.length) return { tags, isLittleEndian };
  const count = isBig ? wordAt(start) : view.getUint16(start, isLittleEndian);
  const entriesEnd = start + countBytes + count * entryBytes;
  const link = { start: entriesEnd, end: entriesEnd + linkBytes };
  for (let i = 0; i < Math.min(count, MAX_TAGS); i++) {
    const entry = start + countBytes + i * entryBytes;
    if (entry + entryBytes > bytes.length) break;
    const bytesPerValue = TYPE_BYTES[view.getUint16(entry + 2, isLittleEndian)] ?? 0;
    const length = wordAt(entry + 4);
    const inline = entry + entryBytes - inlineBytes;
    const offset = length * bytesPerValue <= inlineBytes ? inline : wordAt(inline);
    const values: number[] = [];
    const numValues = bytesPerValue === 0 ? 0 : Math.min(length, MAX_VALUES);
    if (offset + numValues * bytesPerValue <= bytes.length) {
      for (let k = 0; k < numValues; k++) {
        values.push(numberAt(view, offset + k * bytesPerValue, bytesPerValue, isLittleEndian));
      }
    }
    const tag = view.getUint16(entry, isLittleEndian);
    if (!tags.has(tag)) tags.set(tag, { values, offset, bytesPerValue });
  }
  return { tags, isLittleEndian, link: link.end <= bytes.length ? link : undefined };
}

function numberAt(view: DataView, at: number, byteCount: number, isLittleEndian: boolean): number {
  if (byteCount === 1) return view.getUint8(at);
  if (byteCount === 2) return view.getUint16(at, isLittleEndian);
  if (byteCount === 4) return view.getUint32(at, isLittleEndian);
  return Number(view.getBigUint64(at, isLittleEndian));
}

/** A copy of the file with another first value of a tag, which must be there. */
export function withTiffValue(
  bytes: Uint8Array,
  { tags, isLittleEndian }: TiffDirectory,
  tag: number,
  value: number,
): Uint8Array {
  const { offset, bytesPerValue } = tags.get(tag)!;
  const copy = new Uint8Array(bytes);
  const view = new DataView(copy.buffer);
  if (bytesPerValue === 2) view.setUint16(offset, value, isLittleEndian);
  else if (bytesPerValue === 4) view.setUint32(offset, value, isLittleEndian);
  else if (bytesPerValue === 8) view.setBigUint64(offset, BigInt(value), isLittleEndian);
  else view.setUint8(offset, value);
  return copy;
}
