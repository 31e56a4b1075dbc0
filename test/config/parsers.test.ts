import { describe, expect, it } from "vitest";
import {
  byteSize,
  decimal,
  duration,
  durationOrOff,
  hosts,
  httpAddress,
  integer,
  list,
  price,
} from "../../src/config/parsers.ts";

describe("a time", () => {
  it.each([
    ["250", 250],
    ["250ms", 250],
    ["90s", 90_000],
    ["10m", 600_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
  ])("is read in milliseconds: %s", (text, expected) => {
    expect(duration("0ms", "7d").parse(text)).toBe(expected);
  });

  it.each(["", "s", "1.5s", "-1s", "1 s", "1S", "1w", "8d", "1e3", "1constructor", "9".repeat(400)])(
    "is not %j",
    (text) => {
      expect(duration("0ms", "7d").parse(text)).toBeUndefined();
    },
  );
});

describe("a time that may be off", () => {
  it.each([
    ["0s", 0],
    ["90s", 90_000],
    ["off", Infinity],
    ["on", undefined],
    ["8d", undefined],
    ["", undefined],
  ])("is read as one, or as for ever: %j", (text, expected) => {
    expect(durationOrOff("0s", "7d").parse(text)).toBe(expected);
  });
});

describe("a size", () => {
  it.each([
    ["1024", 1024],
    ["512KB", 524_288],
    ["10MB", 10_485_760],
    ["10MiB", 10_485_760],
    ["1GB", 1_073_741_824],
  ])("is read in bytes, a megabyte of 2^20: %s", (text, expected) => {
    expect(byteSize("1KB", "1GB").parse(text)).toBe(expected);
  });

  it.each(["1023", "1025MB", "10mb", "10M", "10iB", "1.5MB", "MB"])("is not %j", (text) => {
    expect(byteSize("1KB", "1GB").parse(text)).toBeUndefined();
  });
});

describe("a number", () => {
  it.each(["", "1.0", "+1", "0x1", "1e1", " 1", "11"])("from 0 to 10 that is whole is not %j", (text) => {
    expect(integer(0, 10).parse(text)).toBeUndefined();
  });

  it.each(["", ".5", "1.", "1,5", "Infinity", "1.01"])("from 0 to 1 is not %j", (text) => {
    expect(decimal(0, 1).parse(text)).toBeUndefined();
  });
});

describe("a price", () => {
  it.each([
    ["0", { amount: 0, per: "image" }],
    ["0.03/megapixel", { amount: 0.03, per: "megapixel" }],
    ["1/image", { amount: 1, per: "image" }],
  ])("is an amount and what it is for: %s", (text, expected) => {
    expect(price.parse(text)).toEqual(expected);
  });

  it.each(["0.03", "/image", "-1/image", "1/pixel", "1000001/image", "1e9/image", "$1/image"])(
    "is not %j",
    (text) => {
      expect(price.parse(text)).toBeUndefined();
    },
  );
});

describe("an address", () => {
  it.each([
    ["https://edit.example.com", "https://edit.example.com"],
    ["https://edit.example.com/", "https://edit.example.com"],
    ["HTTP://Edit.Example.com:8080/a/b//", "http://edit.example.com:8080/a/b"],
  ])("has no slash at its end: %s", (text, expected) => {
    expect(httpAddress.parse(text)).toBe(expected);
  });

  it.each([
    "ftp://example.com",
    "example.com",
    "https://me@example.com",
    "https://example.com/?a=1",
    "https://example.com/#a",
    "https://",
  ])("is not %j", (text) => {
    expect(httpAddress.parse(text)).toBeUndefined();
  });
});

describe("hosts", () => {
  it.each([
    ["retouch", ["retouch"]],
    ["edit.example.com, *.example.com,name:8000,*", ["edit.example.com", "*.example.com", "name:8000", "*"]],
    ["*:8443", ["*:8443"]],
  ])("are %s", (text, expected) => {
    expect(hosts.parse(text)).toEqual(expected);
  });

  it.each([",", "https://edit.example.com", "a/b", "a b", "*example.com", "a.*.com", "name:port", "a..b"])(
    "are not %j",
    (text) => {
      expect(hosts.parse(text)).toBeUndefined();
    },
  );
});

describe("a list", () => {
  it("leaves out blanks and empty entries", () => {
    expect(list.parse(" a, b,,c ")).toEqual(["a", "b", "c"]);
    expect(list.parse("")).toEqual([]);
  });
});
