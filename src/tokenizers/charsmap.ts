/**
 * SentencePiece's compiled character map, as T5's tokenizer files carry it: a double-array trie (darts-clone) from
 * UTF-8 bytes to offsets of zero-terminated replacements. It is implemented here because the JavaScript tokenizer
 * library replaces every such map by its own approximation of NFKC, which gives different ids from the reference.
 */

/** Longer graphemes are looked up code point by code point, as in the reference (spm_precompiled). */
const MAX_GRAPHEME_BYTES = 6;

/**
 * Reads a map.
 * @param bytes the field `precompiled_charsmap`
 * @returns the function that normalises a string, or undefined for a damaged map
 */
export function readCharsmap(bytes: Buffer): ((text: string) => string) | undefined {
  const trieBytes = bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
  if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length) return undefined;
  const units = new Uint32Array(bytes.buffer.slice(bytes.byteOffset + 4, bytes.byteOffset + 4 + trieBytes));
  const replacements = bytes.subarray(4 + trieBytes);

  const replace = (part: string): string | undefined => {
    const start = shortestMatch(units, Buffer.from(part, "utf8"));
    if (start === undefined) return undefined;
    const end = replacements.indexOf(0, start);
    return replacements.toString("utf8", start, end < 0 ? replacements.length : end);
  };
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  return (text) => {
    let result = "";
    for (const { segment } of segmenter.segment(text)) {
      const whole = Buffer.byteLength(segment) < MAX_GRAPHEME_BYTES ? replace(segment) : undefined;
      result += whole ?? [...segment].map((character) => replace(character) ?? character).join("");
    }
    return result;
  };
}

/** The value of the shortest key that `bytes` begin with; the reference takes the first match, not the longest. */
function shortestMatch(units: Uint32Array, bytes: Uint8Array): number | undefined {
  let position = childrenOf(units[0] ?? 0);
  for (const byte of bytes) {
    if (byte === 0) return undefined;
    position ^= byte;
    const unit = units[position];
    if (unit === undefined || labelOf(unit) !== byte) return undefined;
    position ^= childrenOf(unit);
    if (hasLeaf(unit)) return (units[position] ?? 0) & 0x7fffffff;
  }
  return undefined;
}

/** A unit packs a label (bits 0 to 7), a leaf flag (8), an offset scale (9) and an offset (10 to 31). */
const labelOf = (unit: number): number => (unit & 0x800000ff) >>> 0;
const hasLeaf = (unit: number): boolean => (unit & 0x100) !== 0;
const childrenOf = (unit: number): number => ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
