/** How near numbers are to others. */

/** From here on, numbers of a device count as those of the CPU. */
export const LEAST_DECIBELS = 40;

/**
 * The power of `wanted` over that of the error, in decibels: 20 is an error of a tenth, 40 of a hundredth.
 * @returns Infinity for the same numbers; -Infinity for another count of them, or for numbers that are none
 */
export function decibelsBetween(actual: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (actual.length !== wanted.length) return -Infinity;
  let [signal, noise] = [0, 0];
  for (let index = 0; index < wanted.length; index += 1) {
    const value = wanted[index]!;
    signal += value ** 2;
    noise += (actual[index]! - value) ** 2;
  }
  if (noise === 0) return Infinity;
  const decibels = 10 * Math.log10(signal / noise);
  return Number.isNaN(decibels) ? -Infinity : decibels;
}

/** With one decimal, such as "23.1 dB". */
export const decibelText = (decibels: number): string =>
  Number.isFinite(decibels) ? `${decibels.toFixed(1)} dB` : `${decibels > 0 ? "" : "-"}∞ dB`;
