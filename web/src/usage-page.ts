/** Edits of this key by day, with their cost where the operator has set a price. */
import type { Usage } from "./api.ts";
import { element, find } from "./dom.ts";
import { showCost } from "./price.ts";

export function drawUsage({ days, total, price }: Usage): void {
  const row = (name: "td" | "th", cells: readonly (string | number)[], attributes = {}): HTMLElement =>
    element(
      "tr",
      attributes,
      ...cells.map((cell, index) =>
        element(
          index === 0 && name === "td" ? "th" : name,
          index === 0 ? { scope: "row" } : name === "th" ? { scope: "col" } : {},
          String(cell),
        ),
      ),
    );
  const cells = (day: { completed: number; failed: number; cost: number }): (string | number)[] => [
    day.completed,
    day.failed,
    ...(price.is_set ? [showCost(day.cost)] : []),
  ];
  find("usage").replaceChildren(
    element(
      "table",
      {},
      ...(price.is_set
        ? [
            element(
              "caption",
              {},
              `The price is ${showCost(price.amount)} for each ${price.per}; failed edits cost nothing.`,
            ),
          ]
        : []),
      element("thead", {}, row("th", ["Day", "Edits", "Failed", ...(price.is_set ? ["Cost"] : [])])),
      element("tbody", {}, ...days.toReversed().map((day) => row("td", [day.date, ...cells(day)]))),
      element("tfoot", {}, row("td", ["Total", ...cells(total)])),
    ),
  );
}
