/** All edits that come from one image, as a tree: each below the edit whose result it continues. */
import { button, element, show } from "./dom.ts";
import { type Drift, driftOfRecord, showDecibels } from "./drift.ts";
import type { EditRecord } from "./history-store.ts";

export interface LineageTreeActions {
  /** All edits of the history. */
  list(): Promise<readonly EditRecord[]>;
  open(record: EditRecord): void;
}

/** More would push everything else off the page. */
const MAX_SHOWN = 60;

/**
 * Draws the tree that a record belongs to.
 * @returns the drift of the record itself, as far as it is known
 */
export async function drawLineageTree(
  tree: HTMLElement,
  record: EditRecord,
  { list, open }: LineageTreeActions,
): Promise<Drift | undefined> {
  const all = await list();
  const byId = new Map(all.map((one) => [one.id, one]));
  byId.set(record.id, record);
  const find = (id: string): EditRecord | undefined => byId.get(id);
  const root = rootOf(record, byId);
  const children = childrenOf(byId.values());
  let count = 0;

  async function branch(one: EditRecord): Promise<HTMLElement[]> {
    if (one.result === undefined || count >= MAX_SHOWN) return [];
    count += 1;
    // A browser that cannot compare images still shows the tree.
    const drift = await driftOfRecord(one, find).catch(() => undefined);
    const distance = drift === undefined ? "" : showDecibels(drift);
    const choose = button("", () => open(one), "thumbnail");
    choose.append(picture(one.result, distance === "" ? one.prompt : `${one.prompt}, ${distance}`));
    choose.title = one.prompt;
    if (one.id === record.id) choose.setAttribute("aria-current", "true");
    const below: HTMLElement[] = [];
    for (const child of children.get(one.id) ?? []) below.push(...(await branch(child)));
    const item = element(
      "li",
      {},
      element("span", { class: "node" }, choose, element("span", { class: "faint caption" }, distance)),
    );
    if (below.length > 0) item.append(element("ul", {}, ...below));
    return [item];
  }

  const first = element("span", { class: "thumbnail" }, picture(record.original!, "The first image"));
  const siblings = root.record ? await branch(root.record) : await orphans();
  /** Where the edit of the first image is gone, what continued it hangs from the image. */
  async function orphans(): Promise<HTMLElement[]> {
    const items: HTMLElement[] = [];
    for (const child of children.get(root.id) ?? []) items.push(...(await branch(child)));
    return items;
  }
  const caption = element("span", { class: "faint caption" }, "first");
  const top = element("li", {}, element("span", { class: "node" }, first, caption));
  if (siblings.length > 0) top.append(element("ul", {}, ...siblings));
  tree.replaceChildren(top);
  return driftOfRecord(record, find).catch(() => undefined);
}

/** The edit that the chain begins with, or the id of one that is no longer there. */
function rootOf(
  record: EditRecord,
  byId: ReadonlyMap<string, EditRecord>,
): { id: string; record: EditRecord | undefined } {
  let one = record;
  const seen = new Set<string>();
  while (one.parentId !== undefined && !seen.has(one.id)) {
    seen.add(one.id);
    const parent = byId.get(one.parentId);
    if (parent === undefined) return { id: one.parentId, record: undefined };
    one = parent;
  }
  return { id: one.id, record: one };
}

/** The edits of each result, oldest first. */
function childrenOf(records: Iterable<EditRecord>): Map<string, EditRecord[]> {
  const children = new Map<string, EditRecord[]>();
  for (const one of [...records].toSorted((a, b) => a.createdAt - b.createdAt)) {
    if (one.parentId === undefined) continue;
    children.set(one.parentId, [...(children.get(one.parentId) ?? []), one]);
  }
  return children;
}

function picture(bytes: Blob, alt: string): HTMLImageElement {
  const made = element("img", { alt });
  show(made, bytes);
  return made;
}
