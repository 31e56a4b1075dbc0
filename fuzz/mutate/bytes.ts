/** Changes bytes without knowing what they mean. */
import type { Random } from "../random.ts";

/** No input becomes larger than this. */
export const MAX_BYTES = 256 * 1024;
/** At the edges of the widths that numbers are stored in. */
const NUMBERS: readonly bigint[] = [
  [0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x10000n, 0xffffffn, 0x1000000n],
  [0x7fff_ffffn, 0x8000_0000n, 0xffff_fffen, 0xffff_ffffn, 0x1_0000_0000n, 2n ** 53n - 1n, 2n ** 53n],
  [2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n],
].flat();
/** How several formats and programs begin or mark their parts. */
const MAGIC: readonly Buffer[] = [
  ["GGUF", "RIFF", "WEBP", "VP8X", "ANMF", "\x89PNG\r\n\x1a\n", "IDAT", "IEND", "GIF89a", "II*\0", "MM\0*"],
  ["ftypavif", "\xff\xd8\xff\xe0", "\xff\xd9", "\xff\xda", "Exif\0\0", "<svg", "%PDF-", "\x1f\x8b"],
  ["\r\n", "\r\n\r\n", "\0", "\0\0\0\0", "\xef\xbb\xbf", "\xed\xa0\x80", "\xc0\x80", "\xff\xfe", "--", "{}"],
]
  .flat()
  .map((text) => Buffer.from(text, "latin1"));

type Mutator = (bytes: Buffer, random: Random, corpus: readonly Buffer[]) => Buffer;

const replaced = (bytes: Buffer, from: number, to: number, by: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);

const MUTATORS: readonly Mutator[] = [
  function flipBit(bytes, random) {
    if (bytes.length === 0) return bytes;
    const copy = Buffer.from(bytes);
    copy[random.below(copy.length)]! ^= 1 << random.below(8);
    return copy;
  },
  function setByte(bytes, random) {
    if (bytes.length === 0) return bytes;
    const copy = Buffer.from(bytes);
    copy[random.below(copy.length)] = random.chance(0.5) ? random.pick([0, 0xff, 0x7f, 0x80]) : random.next();
    return copy;
  },
  setNumber,
  setNumber,
  function cut(bytes, random) {
    return random.chance(0.8)
      ? bytes.subarray(0, random.below(bytes.length + 1))
      : bytes.subarray(random.below(bytes.length + 1));
  },
  function remove(bytes, random) {
    const from = random.below(bytes.length + 1);
    return replaced(bytes, from, Math.min(bytes.length, from + random.few(1024)), Buffer.alloc(0));
  },
  function repeat(bytes, random) {
    const from = random.below(bytes.length + 1);
    const part = bytes.subarray(from, from + random.few(256));
    return replaced(bytes, from, from, Buffer.concat(Array<Buffer>(random.few(1024)).fill(part)));
  },
  function insertRandom(bytes, random) {
    const at = random.below(bytes.length + 1);
    return replaced(bytes, at, at, random.bytes(random.few(64)));
  },
  function insertMagic(bytes, random) {
    const at = random.below(bytes.length + 1);
    const magic = random.pick(MAGIC);
    return replaced(bytes, at, random.chance(0.5) ? at + magic.length : at, magic);
  },
  function splice(bytes, random, corpus) {
    const other = random.pick(corpus);
    const part = other.subarray(random.below(other.length + 1)).subarray(0, random.few(4096));
    const at = random.below(bytes.length + 1);
    return replaced(bytes, at, random.chance(0.5) ? at + part.length : at, part);
  },
  function swapParts(bytes, random) {
    const [a, b] = [random.below(bytes.length + 1), random.below(bytes.length + 1)].toSorted((x, y) => x - y);
    return Buffer.concat([bytes.subarray(b), bytes.subarray(a, b), bytes.subarray(0, a)]);
  },
];

/** Writes an odd number over some bytes, in a usual width and in either order. */
function setNumber(bytes: Buffer, random: Random): Buffer {
  const width = random.pick([1, 2, 4, 8]);
  if (bytes.length < width) return bytes;
  return writeNumber(bytes, random.below(bytes.length - width + 1), width, random);
}

/** The bytes with an odd number of `width` bytes at `at`; near what is there, or at the edge of a width. */
export function writeNumber(
  bytes: Buffer,
  at: number,
  width: number,
  random: Random,
  order: "little" | "big" | "either" = "either",
): Buffer {
  const copy = Buffer.from(bytes);
  const isLittle = order === "little" || (order === "either" && random.chance(0.5));
  let value = random.pick(NUMBERS) + (random.chance(0.3) ? BigInt(random.within(-2, 2)) : 0n);
  if (random.chance(0.3)) {
    const there = Buffer.from(copy.subarray(at, at + width));
    if (isLittle) there.reverse();
    value = BigInt(`0x${there.toString("hex")}`) + BigInt(random.within(-2, 2));
  }
  for (let index = 0; index < width; index += 1) {
    copy[isLittle ? at + index : at + width - 1 - index] = Number((value >> BigInt(8 * index)) & 0xffn);
  }
  return copy;
}

/** Changes bytes once or a few times. @param corpus whole inputs that parts may be taken from */
export function mutateBytes(bytes: Buffer, random: Random, corpus: readonly Buffer[] = [bytes]): Buffer {
  let changed = bytes;
  for (let times = random.few(8); times > 0; times -= 1) {
    changed = random.pick(MUTATORS)(changed, random, corpus).subarray(0, MAX_BYTES);
  }
  return changed;
}
