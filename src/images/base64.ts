/** Base64 as other programs write it: both alphabets, with or without padding, on one line or several. */

/**
 * Decodes base64. It runs where requests are answered, so it decodes megabytes in milliseconds.
 * @returns undefined if it is damaged: a character is outside the alphabet, or one is missing
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const digits = withoutPadding(text);
  // The decoder sees only part of each non-ASCII character, and takes foreign letters for digits.
  if (Buffer.byteLength(digits) !== digits.length) return undefined;
  const bytes = Buffer.from(digits, "base64");
  // The decoder skips characters that are not digits, so a length that fits shows that there were none.
  if (bytes.byteLength === decodedLength(digits.length)) return bytes;
  const numDigits = digits.length - countBlanks(digits);
  return bytes.byteLength === decodedLength(numDigits) ? bytes : undefined;
}

/** One digit more than a multiple of four encodes no byte. */
function decodedLength(numDigits: number): number | undefined {
  return numDigits % 4 === 1 ? undefined : Math.floor((numDigits * 3) / 4);
}

function withoutPadding(text: string): string {
  let digits = text.trim();
  for (let i = 0; i < 2 && digits.endsWith("="); i++) digits = digits.slice(0, -1).trimEnd();
  return digits;
}

/** Byte by byte: regular expressions need seconds for megabytes of blanks. */
function countBlanks(text: string): number {
  const bytes = Buffer.from(text, "latin1");
  let count = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) count += 1;
  }
  return count;
}
