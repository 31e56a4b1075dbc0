import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { asKnown, composed, endsWithWord, lowerCase, startsWithWord } from "../../src/tokenizers/unicode.ts";
import { readJson } from "../support/fixtures.ts";

const fixture =
  readJson<Record<"letters" | "numbers" | "spaces" | "words" | "composed" | "lower", string>>(
    "characters.json",
  );

/** Every character but the first and the halves of surrogate pairs, which are none. */
const CHARACTERS = Array.from({ length: 0x110000 - 1 }, (_, index) => index + 1)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));

function digest(texts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text}\0`);
  return hash.digest("hex");
}

it.each([
  ["letters", /^\p{L}$/u],
  ["numbers", /^\p{N}$/u],
  ["spaces", /^\p{White_Space}$/u],
] as const)("the %s are the reference's", (name, pattern) => {
  expect(digest(CHARACTERS.filter((character) => pattern.test(asKnown(character))))).toBe(fixture[name]);
});

it("words consist of the reference's characters", () => {
  expect(digest(CHARACTERS.filter(startsWithWord))).toBe(fixture.words);
  expect(digest(CHARACTERS.filter(endsWithWord))).toBe(fixture.words);
});

it("every character is composed and reordered as in the reference", () => {
  const texts = CHARACTERS.map((character) => composed(`e\u0345${character}\u0323${character}\u0334`));
  expect(digest(texts)).toBe(fixture.composed);
});

it("every character of Unicode 16 has the reference's small letter, whatever surrounds it", () => {
  const known = CHARACTERS.filter(
    (character) => asKnown(character) === character && /\P{Cn}/u.test(character),
  );
  expect(digest(known.map(lowerCase))).toBe(fixture.lower);
  expect(lowerCase("ΟΔΟΣ ΑΣ. Σ")).toBe("οδοσ ασ. σ");
});
