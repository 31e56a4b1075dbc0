/**
 * What a log line may contain: strings, lists and objects are cut, and an error keeps only what shows where it came
 * from. An error's other fields may hold user data, such as the row a database refused, with its prompt, or the
 * request a bucket answered.
 */
import { cutText } from "./errors.ts";

type Fields = Record<string, unknown>;

const MAX_TEXT = 2000;
const MAX_STACK = 4000;
const MAX_ENTRIES = 50;
const MAX_DEPTH = 6;
/** How many of an error's nested causes are logged. */
const MAX_CAUSES = 5;
/** Codes and names from systems, databases and services; nothing that a user sent. */
const FIELDS_OF_ERRORS = ["code", "errno", "syscall", "constraint", "table", "column", "httpStatus"] as const;

/** The fields of a line. @param depth nesting level of their values */
export function shortFields(fields: object, depth = 1): Fields {
  return Object.fromEntries(
    Object.entries(fields)
      .slice(0, MAX_ENTRIES)
      .map(([name, value]) => [cutText(name, MAX_TEXT), shortValue(value, depth)]),
  );
}

/** Shortens a log method's arguments. If there is no message, the error's own message is used. */
export function shortArguments<Given extends unknown[]>(given: Given): Given {
  const [first, ...rest] = given;
  const error = first instanceof Error ? first : (first as { err?: unknown } | null | undefined)?.err;
  const isOwn = rest[0] === undefined && error instanceof Error;
  const texts = isOwn ? [error.message] : rest;
  const all = [first instanceof Error ? { err: first } : first, ...texts];
  return all.map((value) => (typeof value === "string" ? cutText(value, MAX_TEXT) : value)) as Given;
}

function shortValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return cutText(value, MAX_TEXT);
  if (typeof value === "bigint") return cutText(String(value), MAX_TEXT);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) return shortError(value, MAX_CAUSES);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (value instanceof URL) return cutText(value.href, MAX_TEXT);
  if (depth >= MAX_DEPTH) return "[more]";
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((inner) => shortValue(inner, depth + 1));
  // A class may hold anything: an HTTP call has its headers in it.
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype !== null && prototype !== Object.prototype) return `[${value.constructor.name}]`;
  return shortFields(value, depth + 1);
}

function shortError(error: Error, causesLeft: number): Fields {
  const { message, cause, errors } = error as Error & { errors?: unknown };
  const type = error.name === "Error" ? error.constructor.name : error.name;
  const given = FIELDS_OF_ERRORS.flatMap((name) => {
    const value = (error as unknown as Fields)[name];
    return value === undefined ? [] : [[name, shortValue(value, MAX_DEPTH)]];
  });
  const inner = (value: unknown): unknown =>
    value instanceof Error ? shortError(value, causesLeft - 1) : shortValue(value, MAX_DEPTH);
  return {
    type: cutText(String(type), MAX_TEXT),
    message: cutText(String(message), MAX_TEXT),
    stack: stackOf(error),
    ...(Object.fromEntries(given) as Fields),
    ...(cause !== undefined && causesLeft > 0 && { cause: inner(cause) }),
    ...(Array.isArray(errors) && causesLeft > 0 && { errors: errors.slice(0, MAX_CAUSES).map(inner) }),
  };
}

/** A stack begins with the message, and is useless if the message is all that is left after cutting. */
function stackOf({ stack = "", message }: Error): string {
  const start = message === "" ? -1 : stack.indexOf(message);
  if (start === -1) return cutText(stack, MAX_STACK);
  const end = start + message.length;
  return cutText(stack.slice(0, start) + cutText(message, MAX_TEXT) + stack.slice(end), MAX_STACK);
}
