/** What the tabs of the operations are made of: tables, facts, and values as people read them. */
import { element } from "../dom.ts";

export interface Column<Row> {
  name: string;
  cell: (row: Row) => Node | string;
  /** Numbers stand to the right. */
  isNumber?: boolean;
}

/** A table that scrolls by itself where the page is narrow; the sentence `none` stands for no rows. */
export function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  none: string,
): HTMLElement {
  if (rows.length === 0) return element("p", { class: "faint" }, none);
  const classOf = ({ isNumber = false }: Column<Row>): { class: string } => ({
    class: isNumber ? "number" : "text",
  });
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", {}, caption),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...columns.map((column) => element("th", { scope: "col", ...classOf(column) }, column.name)),
        ),
      ),
      element(
        "tbody",
        {},
        ...rows.map((row) =>
          element(
            "tr",
            {},
            ...columns.map((column, index) =>
              element(
                index === 0 ? "th" : "td",
                index === 0 ? { scope: "row" } : classOf(column),
                column.cell(row),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

export const facts = (entries: readonly (readonly [string, Node | string])[]): HTMLElement =>
  element(
    "dl",
    { class: "facts" },
    ...entries.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );

/** A time of the server, as this browser writes it. */
export function timeOf(iso: string): HTMLElement {
  const text = new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  return element("time", { datetime: iso }, text);
}

const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

export const keyText = ({ keyName, keyId }: { keyName?: string; keyId: string }): string => keyName ?? keyId;

/** Each score, with what it was measured by. */
export function scoresText(scores: readonly number[], threshold: number): string {
  const each = scores.map((score) => score.toFixed(3)).join(", ");
  return `${each}; flagged from ${threshold}`;
}
