/** Numbers in memory that threads share. */

export const sharedFloats = (length: number): Float32Array =>
  new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));

/** The same numbers, copied if they are not in such memory. */
export function shared(numbers: Uint8Array): Uint8Array {
  if (numbers.buffer instanceof SharedArrayBuffer) return numbers;
  const copy = new Uint8Array(new SharedArrayBuffer(numbers.byteLength));
  copy.set(numbers);
  return copy;
}

/** As many zeros of the same kind as `numbers`, `length` of them. */
export function sharedLike(numbers: Uint8Array | Uint16Array, length: number): Uint8Array | Uint16Array {
  const buffer = new SharedArrayBuffer(length * numbers.BYTES_PER_ELEMENT);
  return numbers instanceof Uint8Array ? new Uint8Array(buffer) : new Uint16Array(buffer);
}
