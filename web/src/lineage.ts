/** Where a result comes from: the edits before and beside it, and how far it has drifted from the first image. */
import { button, element } from "./dom.ts";
import { sayDrift } from "./drift.ts";
import type { EditRecord } from "./history-store.ts";
import { drawLineageTree, type LineageTreeActions } from "./lineage-tree.ts";

export interface LineageActions extends LineageTreeActions {
  /** Takes the first source of this chain again. */
  editOriginal(record: EditRecord): void;
}

/** Empty for an edit of an image that is no result. */
export function lineage(record: EditRecord, actions: LineageActions): HTMLElement {
  const box = element("div", { class: "lineage" });
  if (record.parentId === undefined || record.original === undefined) return box;
  const share = record.differenceFromOriginal;
  const tree = element("ul", { class: "tree", "aria-label": "All edits of the first image" });
  const drift = element("span");
  box.append(
    element(
      "p",
      {},
      "This continues an earlier edit. ",
      share === undefined
        ? ""
        : `Its colours are ${(share * 100).toFixed(1)}% away from those of the first image. `,
      drift,
      button("Start from the first image", () => actions.editOriginal(record), "link"),
    ),
    tree,
  );
  void drawLineageTree(tree, record, actions).then((found) => {
    if (found !== undefined) drift.textContent = `${sayDrift(found)} `;
  });
  return box;
}
