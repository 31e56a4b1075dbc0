/** What an edit costs. */
import type { Price } from "../config/parsers.ts";
import type { Size } from "../engine/request.ts";

const DECIMALS = 1e6;

/**
 * In the currency of the price, rounded to 6 decimals; a megapixel is a million pixels of the result.
 * @param numImages results of this size: each costs what it would cost alone
 */
export function costOf({ amount, per }: Price, { width, height }: Size, numImages = 1): number {
  const units = per === "image" ? 1 : (width * height) / 1e6;
  return (Math.round(amount * units * DECIMALS) * numImages) / DECIMALS;
}
