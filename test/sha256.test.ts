import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { sha256, sha256InTurns } from "../src/sha256.ts";

const MIB = 2 ** 20;

describe("a hash in turns", () => {
  it.each([0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 7])("of %d bytes is the hash of all", async (count) => {
    const bytes = randomBytes(count);
    expect(await sha256InTurns(bytes)).toBe(sha256(bytes));
    // A view into a larger buffer.
    expect(await sha256InTurns(bytes.subarray(1))).toBe(sha256(bytes.subarray(1)));
  });

  it("lets others have a turn after each mebibyte", async () => {
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await sha256InTurns(new Uint8Array(15 * MIB));
    isOver = true;
    expect(turns).toBeGreaterThanOrEqual(14);
  });
});
