import { describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import { parseImageField } from "../../src/images/image-field.ts";
import { WIRE } from "../../src/engine/edit-parameters.ts";
import { refusal } from "../support/refusal.ts";
import { blankPng } from "./samples.ts";
import { cpuMs } from "../support/cpu-time.ts";

const MAX_BYTES = 2 ** 20;
/** With every byte at its end, so that its base64 has every digit, and padding. */
const picture = Buffer.concat([blankPng(300, 200), Buffer.from(Array.from({ length: 256 }, (_, i) => i))]);
const base64 = picture.toString("base64");
const KINDS = "image must be an http or https URL, a data URL, or base64.";

describe("parseImageField", () => {
  it("is tested with base64 that has digits outside of letters, and padding", () => {
    expect(base64).toMatch(/^(?=.*\+)(?=.*\/).*=$/);
  });

  it.each([
    "http://pictures.test/bird.png",
    "https://pictures.test:8443/a%20b/bird.png?token=a'b&x=1#part",
    "HTTPS://Pictures.test/Bird.png",
    "http://127.0.0.1/bird.png",
    "http://[::1]:9000/bird.png",
    "https://bücher.test/vögel.png",
  ])("takes the address %s as it is", (url) => {
    expect(parseImageField(url, MAX_BYTES)).toEqual({ kind: "url", url });
    expect(parseImageField(`\n ${url} `, MAX_BYTES)).toEqual({ kind: "url", url });
  });

  it.each([
    ["bare base64", base64],
    ["bare base64 without padding", base64.replaceAll("=", "")],
    ["bare base64 in lines, with blanks around it", `\n${base64.replaceAll(/.{76}/g, "$&\r\n")}\n `],
    ["bare base64 in the alphabet of addresses", picture.toString("base64url")],
    ["a data URL", `data:image/png;base64,${base64}`],
    ["a data URL with blanks around it", `\n data:image/png;base64,${base64}\n`],
    ["a data URL of another type, in capitals", `DATA:text/html;charset=utf-8;BASE64,${base64}`],
    ["a data URL whose base64 is escaped", `data:;base64,${encodeURIComponent(base64)}`],
    ["a data URL without base64", `data:,${[...picture].map((byte) => `%${hex(byte)}`).join("")}`],
  ])("decodes %s", (_, text) => {
    const field = parseImageField(text, MAX_BYTES);
    expect(field.kind === "inline" && Buffer.compare(field.bytes, picture)).toBe(0);
  });

  it.each([
    ["nothing", "", "image must not be empty."],
    ["blanks", " \n ", "image must not be empty."],
    ["a word", "bird", KINDS],
    ["a short path", "bird.png", KINDS],
    ["a path", "/home/somebody/pictures/of/birds/a bluebird.png", KINDS],
    ["a path of Windows", "C:\\Users\\somebody\\Pictures\\bluebird-in-spring.png", KINDS],
    ["a file address", "file:///home/somebody/pictures/bluebird.png", KINDS],
    ["another scheme", "s3://a-bucket-with-a-long-name/pictures/bluebird.png", KINDS],
    ["a script", `javascript:${base64}`, KINDS],
    ["an address without its scheme", "//pictures.test/birds/bluebird-in-spring.png", KINDS],
    ["base64 with another character", `${base64.slice(0, 50)}*${base64.slice(51)}`, KINDS],
    ["base64 that lacks a digit", `${base64.replaceAll("=", "").slice(0, 49)}`, KINDS],
    ["JSON", '{"url": "http://pictures.test/bird.png", "type": "png"}', KINDS],
    ["markup", "<html><body><img src='http://pictures.test/bird.png'></body></html>", KINDS],
    ["an address without a host", "http://", "image is not a valid URL."],
    ["an address with a bad host", "http://a b/bird.png", "image is not a valid URL."],
    ["an address with a bad port", "https://pictures.test:99999/", "image is not a valid URL."],
    ["an address with a bad literal", "http://[::1/bird.png", "image is not a valid URL."],
    ["a long address", `http://a.test/${"a".repeat(8192)}`, "image is a URL of more than 8192 characters."],
    ["a user name", "http://me@a.test/", "image must not be a URL with a user name or password."],
    ["a password", "http://:secret@a.test/", "image must not be a URL with a user name or password."],
    [
      "a data URL without a comma",
      "data:image/png;base64",
      "image: the data URL cannot be read: it has no comma before its data.",
    ],
    [
      "a damaged data URL",
      "data:;base64,a*b=",
      "image: the data URL cannot be read: its data is not base64.",
    ],
    [
      "a data URL with a bad escape",
      "data:,100%zz",
      "image: the data URL cannot be read: a % is not followed by two hexadecimal digits.",
    ],
    ["an empty data URL", "data:image/png;base64,", "image holds no data."],
    ["a data URL of padding", "data:image/png;base64,==", "image holds no data."],
  ])("refuses %s", (_, text, sentence) => {
    expect(refusalOf(text, MAX_BYTES)).toEqual(refusal("INVALID_PARAMETER", sentence));
  });

  it("counts decoded bytes, at the limit and one more", () => {
    for (const text of [base64, `data:;base64,${base64}`, base64.replaceAll(/.{4}/g, "$&\n")]) {
      expect(parseImageField(text, picture.length)).toMatchObject({ kind: "inline" });
      expect(refusalOf(text, picture.length - 1)).toEqual(
        refusal("IMAGE_TOO_LARGE", /^image\b.* is larger than the limit of \d+ bytes\.$/),
      );
    }
  });

  const length = 20_000_000;
  const large = Buffer.alloc((length / 4) * 3, picture).toString("base64");
  it.each([
    ["base64", large],
    ["base64 in lines", large.replaceAll(/.{76}/g, "$&\r\n").slice(0, length)],
    ["base64 in the alphabet of addresses", large.replaceAll("+", "-").replaceAll("/", "_")],
    ["a data URL", `data:image/png;base64,${large}`.slice(0, length)],
    ["digits and blanks in turn", "a ".repeat(length / 2)],
    ["one letter", "a".repeat(length)],
    ["blanks", " ".repeat(length)],
    ["garbage", "*".repeat(length)],
    ["padding", "=".repeat(length)],
    ["letters beyond ASCII", "\u0141".repeat(length)],
    ["an address", `http://a.test/${"a".repeat(length)}`],
    ["a long media type", `data:${"; ".repeat(length / 2)},x`],
    ["escapes", `data:,${"%41".repeat(Math.floor(length / 3))}`],
    ["escaped base64", `data:;base64,${"%41".repeat(Math.floor(length / 3))}`],
    ["signs of escapes", `data:,${"%".repeat(length)}`],
  ])("is done with 20 MB of it at once: %s", (_, text) => {
    // A request's text comes in one piece, and these have been put together.
    const whole = Buffer.from(text).toString();
    const started = cpuMs();
    expect(() => {
      try {
        parseImageField(whole, 64 * 2 ** 20);
      } catch (error) {
        expect(onTheWire(error)).toEqual(refusal("INVALID_PARAMETER", /^image\b.*\.$/));
      }
    }).not.toThrow();
    // Measured: 2 to 70 ms. Regular expressions took up to 11 s.
    expect(cpuMs() - started).toBeLessThan(700);
  });
});

const hex = (byte: number): string => byte.toString(16).padStart(2, "0");

function refusalOf(text: string, maxBytes: number): unknown {
  try {
    return parseImageField(text, maxBytes);
  } catch (error) {
    return onTheWire(error);
  }
}

/** As a request's sender reads it. */
function onTheWire(error: unknown): unknown {
  if (!(error instanceof RetouchError)) return error;
  return new RetouchError(error.code, error.failures, { surface: WIRE });
}
