/** Where a result comes from: the images and edits before it, and how far it has drifted from the first image. */
import { button, element, show } from "./dom.ts";
import type { EditRecord } from "./history-store.ts";

export interface LineageActions {
  find(id: string): Promise<EditRecord | undefined>;
  open(record: EditRecord): void;
  /** Takes the first source of this chain again. */
  editOriginal(record: EditRecord): void;
}

/** More would push everything else off the page. */
const MAX_SHOWN = 12;

/** Empty for an edit of an image that is no result. */
export function lineage(record: EditRecord, actions: LineageActions): HTMLElement {
  const box = element("div", { class: "lineage" });
  if (record.parentId === undefined || record.original === undefined) return box;
  const share = record.differenceFromOriginal;
  const chain = element("ol", { class: "chain", "aria-label": "Earlier edits of this image" });
  box.append(
    element(
      "p",
      {},
      "This continues an earlier edit. ",
      share === undefined
        ? ""
        : `Its colours are ${(share * 100).toFixed(1)}% away from those of the first image. `,
      button("Start from the first image", () => actions.editOriginal(record), "link"),
    ),
    chain,
  );
  void drawChain(chain, record, actions);
  return box;
}

async function drawChain(chain: HTMLElement, record: EditRecord, actions: LineageActions): Promise<void> {
  const before: EditRecord[] = [];
  let id = record.parentId;
  while (id !== undefined && before.length < MAX_SHOWN) {
    const parent: EditRecord | undefined = await actions.find(id);
    if (parent === undefined) break;
    before.unshift(parent);
    id = parent.parentId;
  }
  const steps = before.flatMap((one) => {
    if (one.result === undefined) return [];
    const choose = button("", () => actions.open(one), "thumbnail");
    const drift = one.differenceFromOriginal;
    const away = drift === undefined ? "" : `, ${(drift * 100).toFixed(1)}% away`;
    choose.append(picture(one.result, `${one.prompt}${away}`));
    choose.title = `${one.prompt}${away}`;
    return [element("li", {}, choose)];
  });
  const first = element("span", { class: "thumbnail" }, picture(record.original!, "The first image"));
  chain.replaceChildren(element("li", {}, first), ...steps);
}

function picture(bytes: Blob, alt: string): HTMLImageElement {
  const made = element("img", { alt });
  show(made, bytes);
  return made;
}
