import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { createPieces } from "../../src/server/pieces.ts";

/** The bytes in pieces of these sizes, by turns. */
function inPieces(bytes: Buffer, sizes: readonly number[]) {
  const pieces = createPieces();
  for (let at = 0, turn = 0; at < bytes.byteLength; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    pieces.add(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

it.each([
  ["nothing", 0, [1]],
  ["a byte", 1, [1]],
  ["single bytes", 10_000, [1]],
  ["one large piece", 3_000_000, [3_000_000]],
  ["large and small ones by turns", 2_000_000, [65_536, 1, 300_000, 4096, 7]],
])("gives back what came: %s", (_, length, sizes) => {
  const bytes = randomBytes(length);
  const pieces = inPieces(bytes, sizes);
  expect(pieces.byteLength()).toBe(length);
  expect(pieces.take().equals(bytes)).toBe(true);
});

it("has none of the bytes of another body, whose memory it may use", () => {
  const first = randomBytes(2_000_000);
  const second = randomBytes(1_000_000);
  const cleared = inPieces(randomBytes(3_000_000), [65_536]);
  const taken = inPieces(first, [65_536]).take();
  cleared.clear();
  expect(inPieces(second, [65_536]).take().equals(second)).toBe(true);
  expect(taken.equals(first)).toBe(true);
});
