/** Summaries of repeated measurements. */

export interface Summary {
  median: number;
  min: number;
  max: number;
  /** In the order they were taken. */
  values: number[];
}

export function summarize(values: readonly number[]): Summary {
  return {
    median: rounded(medianOf(values)),
    min: rounded(Math.min(...values)),
    max: rounded(Math.max(...values)),
    values: values.map(rounded),
  };
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Mean of the middle half: finer than the median where a clock is coarse, and as robust against outliers. */
export function middleMeanOf(values: readonly number[]): number {
  const cut = values.length >> 2;
  const middle = values.toSorted((a, b) => a - b).slice(cut, values.length - cut);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/** The percentile by nearest rank, so always a value that was measured. @param percent 0 to 100 */
export function percentileOf(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!;
}

/** Four significant digits: more would be noise. */
export const rounded = (value: number): number => Number(value.toPrecision(4));
