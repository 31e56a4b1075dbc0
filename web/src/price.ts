/** What an edit will cost, reckoned as the server reckons it. */
import type { Price } from "./api.ts";

const DECIMALS = 1e6;

export function costOf({ amount, per }: Price, { width, height }: { width: number; height: number }): number {
  const units = per === "image" ? 1 : (width * height) / 1e6;
  return Math.round(amount * units * DECIMALS) / DECIMALS;
}

/** Without a currency: the server's operator knows which. */
export const showCost = (cost: number): string => String(Number(cost.toFixed(6)));
