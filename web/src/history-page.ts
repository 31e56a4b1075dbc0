/** The edits of this browser as cards, and this key's jobs on the server right now. */
import type { Api } from "./api.ts";
import { button, element, find } from "./dom.ts";
import { type EditRecord, type HistoryStore, MAX_BYTES, sizeOf } from "./history-store.ts";

export interface HistoryPageOptions {
  api: Api;
  history: HistoryStore;
  open: (record: EditRecord) => void;
}

export interface HistoryPage {
  /** Redraws the page. */
  refresh(): Promise<void>;
}

const MIB = 2 ** 20;
const STATES = { running: "Running", completed: "Done", failed: "Failed", cancelled: "Cancelled" } as const;

export function createHistoryPage({ api, history, open }: HistoryPageOptions): HistoryPage {
  const cards = find("history");
  const clear = find<HTMLButtonElement>("clear-history");
  let addresses: string[] = [];

  function picture(bytes: Blob, alt: string): HTMLImageElement {
    const address = URL.createObjectURL(bytes);
    addresses.push(address);
    return element("img", { src: address, alt, loading: "lazy" });
  }

  function card(record: EditRecord): HTMLElement {
    const { parameters, output, status, others = [] } = record;
    const details = [
      STATES[status],
      new Date(record.createdAt).toLocaleString(),
      parameters.size.replace("*", " × "),
      `${parameters.num_inference_steps} steps`,
      `guidance ${parameters.guidance}`,
      `seed ${output?.seed ?? parameters.seed}`,
      ...(record.source === undefined ? ["drawn without an image"] : []),
      ...(record.parentId === undefined ? [] : ["edit of an edit"]),
    ];
    const choose = button("", () => open(record), "card");
    choose.append(
      element(
        "span",
        { class: record.source ? "pair" : "pair drawn" },
        ...(record.source ? [picture(record.source, "Before")] : []),
        ...(record.result ? [picture(record.result, "After")] : []),
      ),
      ...(others.length === 0
        ? []
        : [
            element(
              "span",
              { class: "others" },
              ...others.map(({ bytes }, index) => picture(bytes, `Image ${index + 2}`)),
            ),
          ]),
      element("span", { class: "card-prompt" }, record.prompt),
      element("span", { class: "faint" }, details.join(" · ")),
    );
    return element("li", {}, choose);
  }

  async function drawLive(): Promise<void> {
    const live = find("live");
    try {
      const { requests } = await api.requests();
      const rows = requests.map(({ id, status, startedAt }) =>
        element(
          "li",
          {},
          element("code", {}, id),
          element(
            "span",
            { class: "faint" },
            ` ${status}${startedAt ? `, begun at ${new Date(startedAt).toLocaleTimeString()}` : ""}`,
          ),
        ),
      );
      live.replaceChildren(...(rows.length > 0 ? rows : [element("li", { class: "faint" }, "Nothing.")]));
    } catch (error) {
      live.replaceChildren(element("li", { class: "faint" }, (error as Error).message));
    }
  }

  clear.addEventListener("click", () => {
    if (!confirm("Remove all edits from this browser?")) return;
    void history.clear().then(() => page.refresh());
  });

  const page: HistoryPage = {
    async refresh() {
      if (find("page-history").hidden) return;
      const records = await history.list();
      for (const address of addresses) URL.revokeObjectURL(address);
      addresses = [];
      cards.replaceChildren(...records.map(card));
      const bytes = records.reduce((sum, record) => sum + sizeOf(record), 0);
      find("history-size").textContent =
        records.length === 0
          ? "No edits yet"
          : `${records.length} ${records.length === 1 ? "edit" : "edits"}, ${(bytes / MIB).toFixed(1)} of ${MAX_BYTES / MIB} MB`;
      clear.disabled = records.length === 0;
      await drawLive();
    },
  };
  return page;
}
