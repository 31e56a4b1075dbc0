/** Several results of one edit as thumbnails: choose one to see, keep or edit further. */
import { button, element, show } from "./dom.ts";
import type { OneResult } from "./history-store.ts";

/**
 * @param onChoose called with the index of another result
 * @param onCompare called with the index of one to compare
 */
export function createResultsGrid(
  results: readonly OneResult[],
  chosen: number,
  onChoose: (index: number) => void,
  onCompare: (index: number) => void,
): HTMLElement {
  return element(
    "ul",
    { class: "results", "aria-label": "Results of this edit" },
    ...results.map(({ bytes, seed }, index) => {
      const picture = element("img", { alt: `Result ${index + 1}, seed ${seed}` });
      show(picture, bytes);
      const made = button("", () => onChoose(index), "result-choice");
      made.setAttribute("aria-pressed", String(index === chosen));
      made.append(picture, element("span", { class: "faint" }, `Seed ${seed}`));
      const compare = button("Compare", () => onCompare(index), "tool");
      compare.setAttribute("aria-label", `Compare: result ${index + 1}`);
      return element("li", {}, made, compare);
    }),
  );
}
