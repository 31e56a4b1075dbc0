/** Peak signal-to-noise ratio of the numbers of two pictures of one size, in decibels; Infinity where they are equal. */
export function psnrOf(one: Uint8Array, other: Uint8Array): number {
  if (one.length !== other.length) throw new Error(`There are ${one.length} numbers and ${other.length}.`);
  let sum = 0;
  for (const [index, value] of one.entries()) sum += (value - other[index]!) ** 2;
  return sum === 0 ? Infinity : 10 * Math.log10(255 ** 2 / (sum / one.length));
}
