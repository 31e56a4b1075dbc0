/** What an edit will cost, calculated as the server does. */
import type { Price } from "./api.ts";

const DECIMALS = 1e6;

export function costOf({ amount, per }: Price, { width, height }: { width: number; height: number }): number {
  const units = per === "image" ? 1 : (width * height) / 1e6;
  return Math.round(amount * units * DECIMALS) / DECIMALS;
}

/** Without a currency, which only the server's operator knows. */
export const showCost = (cost: number): string => String(Number(cost.toFixed(6)));
