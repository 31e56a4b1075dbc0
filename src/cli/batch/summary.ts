/** The summary of a batch as CSV (RFC 4180), for people and spreadsheets. */
import type { Size } from "../../index.ts";

export interface SummaryRow {
  /** The image as it was given; of several images all of them. */
  input: string;
  /** Path of the result, whether it is there yet or not. */
  output?: string | undefined;
  seed?: number | undefined;
  size?: Size | undefined;
  seconds?: number | undefined;
  /** `waiting` was not come to, because the batch was stopped. */
  status: "done" | "failed" | "waiting";
  error?: string | undefined;
}

const COLUMNS = ["input", "output", "seed", "size", "seconds", "status", "error"] as const;

/** All rows with a line of names before them. */
export function summaryText(rows: readonly SummaryRow[]): string {
  const lines = rows.map(({ input, output, seed, size, seconds, status, error }) => [
    textCell(input),
    textCell(output),
    seed ?? "",
    size === undefined ? "" : `${size.width}x${size.height}`,
    seconds === undefined ? "" : seconds.toFixed(2),
    status,
    textCell(error),
  ]);
  return [COLUMNS, ...lines].map((cells) => `${cells.join(",")}\r\n`).join("");
}

/**
 * A cell with text from outside. Spreadsheets run one that begins like a formula, also after white space and in the wide
 * forms of East Asian keyboards; an apostrophe before it makes it text (https://owasp.org/www-community/attacks/CSV_Injection).
 * Quotes keep separators of every locale inside.
 */
export function textCell(text = ""): string {
  const plain = /^[\s\p{Cc}]*[=+\-@＝＋－＠|%]|^[\t\r\n]/u.test(text) ? `'${text}` : text;
  return plain === "" ? "" : `"${plain.replaceAll('"', '""')}"`;
}
