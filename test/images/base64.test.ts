import { describe, expect, it } from "vitest";
import { decodeBase64 } from "../../src/images/base64.ts";
import { randomNumbers } from "./samples.ts";

const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

describe("decodeBase64", () => {
  it.each([
    ["with padding", all.toString("base64")],
    ["without padding", all.toString("base64").replaceAll("=", "")],
    ["in the alphabet of addresses", all.toString("base64url")],
    ["in lines", all.toString("base64").replaceAll(/.{76}/g, "$&\r\n")],
    ["in lines, the last of them padding", all.toString("base64").replaceAll("=", "\n=\n")],
    ["with every kind of blank", ` \t\n\v\f\r${all.toString("base64")} \t\n\v\f\r`],
  ])("decodes every byte %s", (_, text) => {
    expect(decodeBase64(text)).toEqual(all);
  });

  it.each([
    ["", ""],
    ["=", ""],
    ["YQ==", "a"],
    ["YWI=", "ab"],
    ["YWJj", "abc"],
    ["YWJj\nZA", "abcd"],
  ])("decodes %j to %j", (text, decoded) => {
    expect(Buffer.from(decodeBase64(text)!).toString()).toBe(decoded);
  });

  it.each([
    ["a digit too much", "YWJjZ"],
    ["one digit", "Y"],
    ["another character", "YW*j"],
    ["another character in place of padding", "YWI!"],
    ["padding in between", "YQ==YQ=="],
    ["padding alone", "===="],
    ["a zero byte", "YWJj\0"],
    ["letters whose low byte is a digit's", "\u0159\u0157\u014a\u016a"],
    ["letters whose low byte is a blank", "YWJj\u0120\u0120"],
    ["blanks beyond ASCII in between", "YW\u2003Jj"],
    ["half a character", "YWJj\ud83d"],
    ["an escape", "YWI%3D"],
  ])("refuses %s: %j", (_, text) => {
    expect(decodeBase64(text)).toBeUndefined();
  });

  it("agrees with a slow and strict reader on 20,000 texts that are nearly base64", () => {
    const random = randomNumbers(11);
    const characters = [..."AZaz09+/-_", " ", "\n", "=", "*", "\0", "\u0141"];
    let numAccepted = 0;
    for (let round = 0; round < 20_000; round++) {
      // Mostly digits, so that a good part is accepted.
      const text = Array.from({ length: Math.floor(random() * 13) }, () => {
        const reach = random() < 0.9 ? 10 : characters.length;
        return characters[Math.floor(random() * reach)];
      }).join("");
      const digits = text.replaceAll(/[ \n]/g, "").replace(/={1,2}$/, "");
      const isBase64 = /^[\w+/-]*$/.test(digits) && digits.length % 4 !== 1;
      const expected = isBase64 ? Buffer.from(digits, "base64") : undefined;
      expect(decodeBase64(text), JSON.stringify(text)).toEqual(expected);
      if (isBase64) numAccepted += 1;
    }
    expect(numAccepted).toBeGreaterThan(4000);
    expect(numAccepted).toBeLessThan(16_000);
  });
});
