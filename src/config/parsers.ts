/** Parsers for variables: each says what it accepts, and turns a string into a value or refuses it. */
import { isIP } from "node:net";

/** How one kind of setting reads its string. */
export interface Parser<Value> {
  /** What is accepted, as it ends the sentence "NAME must be ...". */
  accepts: string;
  /** @returns undefined for a string that is not accepted */
  parse(text: string): Value | undefined;
  /** Of a list that is not accepted: the part that is why. */
  wrongPart?(text: string): string | undefined;
}

type Units = ReadonlyMap<string, number>;

const DURATION_UNITS: Units = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);
/** As the published limits count them: a megabyte is 2^20 bytes. */
const SIZE_UNITS: Units = new Map(
  ["K", "M", "G"].flatMap((letter, index) => {
    const bytes = 1024 ** (index + 1);
    return [`${letter}B`, `${letter}iB`].map((unit) => [unit, bytes] as const);
  }),
);
const MAX_AMOUNT = 1_000_000;

export const text: Parser<string> = pattern("text on one line", /^\P{Cc}+$/u);

export function pattern(accepts: string, expression: RegExp): Parser<string> {
  return { accepts, parse: (value) => (expression.test(value) ? value : undefined) };
}

export function choice<const Value extends string>(...values: Value[]): Parser<Value> {
  const accepts = values.join(", ").replace(/, (?=[^,]*$)/, " or ");
  return { accepts, parse: (value) => values.find((known) => known === value) };
}

export const flag: Parser<boolean> = {
  accepts: "true or false",
  parse: (value) => (value === "true" ? true : value === "false" ? false : undefined),
};

export function integer(min: number, max: number): Parser<number> {
  return {
    accepts: `a whole number from ${min} to ${max}`,
    parse: (value) => within(/^\d+$/.test(value) ? Number(value) : NaN, min, max),
  };
}

export function decimal(min: number, max: number): Parser<number> {
  return {
    accepts: `a number from ${min} to ${max}`,
    parse: (value) => within(/^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN, min, max),
  };
}

/** Milliseconds, from `90s`, `10m`, `24h`, `7d`, `250ms` or a plain number of milliseconds. */
export function duration(min: string, max: string): Parser<number> {
  const [least, most] = [parseUnits(min, DURATION_UNITS)!, parseUnits(max, DURATION_UNITS)!];
  return {
    accepts: `a time from ${min} to ${max}, such as 250ms, 90s, 10m, 24h or 7d`,
    parse: (value) => within(parseUnits(value, DURATION_UNITS) ?? NaN, least, most),
  };
}

/** A time as above, or `off`, which is for ever. */
export function durationOrOff(min: string, max: string): Parser<number> {
  const time = duration(min, max);
  return {
    accepts: `${time.accepts}, or off`,
    parse: (value) => (value === "off" ? Infinity : time.parse(value)),
  };
}

/** Bytes, from `512KB`, `10MB` (the same as `10MiB`) or a plain number of bytes. */
export function byteSize(min: string, max: string): Parser<number> {
  const [least, most] = [parseUnits(min, SIZE_UNITS)!, parseUnits(max, SIZE_UNITS)!];
  return {
    accepts: `a size from ${min} to ${max}, such as 512KB or 10MB`,
    parse: (value) => within(parseUnits(value, SIZE_UNITS) ?? NaN, least, most),
  };
}

/** An http or https URL without user, query and fragment; without a trailing slash. */
export const httpAddress: Parser<string> = {
  accepts: "an http or https address such as https://edit.example.com",
  parse(value) {
    if (!URL.canParse(value)) return undefined;
    const url = new URL(value);
    const isPlain = url.username === "" && url.password === "" && url.search === "" && url.hash === "";
    if (!/^https?:$/.test(url.protocol) || !isPlain) return undefined;
    return url.href.replace(/(?<!\/)\/+$/, "");
  },
};

export const list: Parser<readonly string[]> = {
  accepts: "a comma-separated list",
  parse: (value) => value.split(",").flatMap((entry) => entry.trim() || []),
};

/** Host names as a browser may write them. */
export const hosts: Parser<readonly string[]> = {
  accepts: "comma-separated host names, each with an optional leading *. and an optional port, or *",
  parse(value) {
    const names = list.parse(value)!;
    return names.length > 0 && names.every((name) => HOST.test(name)) ? names : undefined;
  },
  wrongPart: (value) => list.parse(value)!.find((name) => !HOST.test(name)),
};

const HOST = /^(?:\*|(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(?::\d{1,5})?$/;

const MAX_NETWORKS = 100;

/** IP addresses, and networks in CIDR notation. */
export const networks: Parser<readonly string[]> = {
  accepts: `up to ${MAX_NETWORKS} comma-separated IP addresses and networks, such as 127.0.0.1,10.0.0.0/8`,
  parse(value) {
    const entries = list.parse(value)!;
    const isShort = entries.length > 0 && entries.length <= MAX_NETWORKS;
    return isShort && entries.every(isNetwork) ? entries : undefined;
  },
  wrongPart: (value) => list.parse(value)!.find((entry) => !isNetwork(entry)),
};

function isNetwork(entry: string): boolean {
  const [address = "", bits, ...others] = entry.split("/");
  const family = address.includes("%") ? 0 : isIP(address);
  if (family === 0 || others.length > 0) return false;
  // Whoever trusts everybody lets every client choose its address.
  const isWithin = (value: number): boolean => value >= 1 && value <= (family === 4 ? 32 : 128);
  return bits === undefined || (/^\d{1,3}$/.test(bits) && isWithin(Number(bits)));
}

/** What an edit costs: an amount per image, or per million pixels. */
export interface Price {
  readonly amount: number;
  readonly per: "image" | "megapixel";
}

export const price: Parser<Price> = {
  accepts: "0, or an amount per image or megapixel, such as 0.025/image or 0.03/megapixel",
  parse(value) {
    const match = /^(\d+(?:\.\d+)?)(?:\/(image|megapixel))?$/.exec(value);
    if (match === null) return undefined;
    const amount = Number(match[1]);
    if (amount > MAX_AMOUNT || (match[2] === undefined && amount !== 0)) return undefined;
    return { amount, per: match[2] === "megapixel" ? "megapixel" : "image" };
  },
};

function parseUnits(value: string, units: Units): number | undefined {
  const [, digits, unit] = /^(\d+)([A-Za-z]*)$/.exec(value) ?? [];
  const factor = unit === "" ? 1 : units.get(unit ?? "");
  return factor === undefined ? undefined : Number(digits) * factor;
}

function within(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined;
}
