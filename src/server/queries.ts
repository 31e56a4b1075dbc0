/** Numbers in query strings: clamped to their range; anything else becomes the default. */

export interface Range {
  min: number;
  max: number;
  default: number;
}

/** Range of `wait`, milliseconds. */
export const WAIT_RANGE = { min: 1000, max: 300_000 };

/** Reads a number from a query string. Repeated parameters count once. */
export function numberInQuery(value: unknown, range: Range): number {
  const number = optionalNumber(value);
  return number === undefined ? range.default : Math.min(range.max, Math.max(range.min, number));
}

/** @returns undefined for what is not a number */
export function optionalNumber(value: unknown): number | undefined {
  const text = Array.isArray(value) ? (value[0] as unknown) : value;
  return typeof text === "string" && /^-?\d{1,15}(\.\d+)?$/.test(text) ? Math.trunc(Number(text)) : undefined;
}

const LIMIT = { min: 1, max: 100, default: 50 };
const OFFSET = { min: 0, max: 1_000_000, default: 0 };

/** Which part of a list is asked for. */
export const pageOf = ({ offset, limit }: { offset?: unknown; limit?: unknown }) => ({
  offset: numberInQuery(offset, OFFSET),
  limit: numberInQuery(limit, LIMIT),
});

const SIZE = /^(\d{1,5})\*(\d{1,5})$/;
const MAX_SIDE = 65_535;

/** Reads a size from a query string, width*height. @returns undefined for what is none */
export function sizeInQuery(value: unknown): { width: number; height: number } | undefined {
  const [, width, height] = (typeof value === "string" && SIZE.exec(value)) || [];
  const sides = [Number(width), Number(height)] as const;
  if (!sides.every((side) => side >= 1 && side <= MAX_SIDE)) return undefined;
  return { width: sides[0], height: sides[1] };
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** There is no year 0. */
const DAY = /^(?!0000)\d{4}-\d{2}-\d{2}$/;

/** Reads a day from a query string, YYYY-MM-DD; the default is `daysAgo` days before today. */
export function dayInQuery(value: unknown, daysAgo: number): string {
  if (typeof value === "string" && DAY.test(value)) {
    const date = new Date(value);
    // `Date` reads February 31 as a day in March; the database refuses it.
    if (!Number.isNaN(date.getTime()) && dayOf(date) === value) return value;
  }
  return dayOf(new Date(Date.now() - daysAgo * DAY_MS));
}

const dayOf = (date: Date): string => date.toISOString().slice(0, 10);
