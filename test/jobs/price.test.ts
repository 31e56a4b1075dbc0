import { describe, expect, it } from "vitest";
import { costOf } from "../../src/jobs/price.ts";

describe("costOf", () => {
  it("charges a megapixel as a million pixels, rounded to 6 decimals", () => {
    const price = { amount: 0.03, per: "megapixel" } as const;
    expect(costOf(price, { width: 1024, height: 1024 })).toBe(0.031457);
    expect(costOf(price, { width: 256, height: 256 })).toBe(0.001966);
  });

  it("charges a picture the same whatever its size", () => {
    const price = { amount: 0.025, per: "image" } as const;
    expect(costOf(price, { width: 256, height: 256 })).toBe(0.025);
    expect(costOf(price, { width: 1536, height: 1536 })).toBe(0.025);
  });

  it("charges each of several results as if it were alone", () => {
    const size = { width: 1024, height: 1024 };
    expect(costOf({ amount: 0.03, per: "megapixel" }, size, 3)).toBe(0.094371);
    expect(costOf({ amount: 0.025, per: "image" }, size, 8)).toBe(0.2);
  });

  it("charges nothing where the price is nothing", () => {
    expect(costOf({ amount: 0, per: "megapixel" }, { width: 1024, height: 1024 })).toBe(0);
  });
});
