/** The edits of this browser as cards, and what the server does for this key right now. */
import type { Api } from "./api.ts";
import { copyText } from "./clipboard.ts";
import { nameOfResult, type Picked } from "./comparison.ts";
import { find } from "./dom.ts";
import { downloadAll } from "./download-all.ts";
import { createEditCard } from "./edit-card.ts";
import { type EditRecord, type HistoryStore, MAX_BYTES, sizeOf } from "./history-store.ts";
import { giveNotice } from "./notice.ts";
import { seedOf } from "./record-images.ts";
import { createServerJobs } from "./server-jobs.ts";

export interface HistoryPageOptions {
  api: Api;
  history: HistoryStore;
  open: (record: EditRecord) => void;
  /** Takes a result for a comparison. */
  compare: (picked: Picked) => void;
  /** Takes an image as the one to edit. */
  editPicture: (bytes: Blob) => void;
}

export interface HistoryPage {
  /** Redraws the page. */
  refresh(): Promise<void>;
}

const MIB = 2 ** 20;
const UNPACKED = "This browser could not pack the results into one file. Download them one by one.";

export function createHistoryPage(options: HistoryPageOptions): HistoryPage {
  const { api, history, open, compare, editPicture } = options;
  const serverJobs = createServerJobs({ api, open, editPicture });
  const cards = find("history");
  const clear = find<HTMLButtonElement>("clear-history");
  const all = find<HTMLButtonElement>("download-all");
  const search = find<HTMLInputElement>("history-search");
  const starred = find<HTMLInputElement>("history-starred");
  let records: EditRecord[] = [];

  const isWanted = ({ prompt, isStarred = false, output }: EditRecord): boolean => {
    const words = search.value.toLowerCase().split(/\s+/u);
    const text = `${prompt} ${output?.seed ?? ""} ${output?.model ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word)) && (isStarred || !starred.checked);
  };

  async function change(make: Promise<void>): Promise<void> {
    await make.catch(() => giveNotice("This browser could not update its history."));
    await page.refresh();
  }

  function draw(): void {
    const wanted = records.filter(isWanted);
    cards.replaceChildren(
      ...wanted.map((record) =>
        createEditCard(record, {
          open,
          star: (one) => void change(history.put({ ...one, isStarred: !one.isStarred })),
          copy: (one) => copyText(`${one.prompt}\nSeed: ${seedOf(one)}`),
          compare: (one) => compare({ bytes: one.result!, name: nameOfResult(one.prompt, seedOf(one)) }),
          remove: (one) => void change(history.delete(one.id)),
        }),
      ),
    );
    const bytes = records.reduce((sum, record) => sum + sizeOf(record), 0);
    const found = wanted.length === records.length ? "" : `${wanted.length} of `;
    find("history-size").textContent =
      records.length === 0
        ? "No edits yet"
        : `${found}${records.length} ${records.length === 1 ? "edit" : "edits"}, ${(bytes / MIB).toFixed(1)} of ${MAX_BYTES / MIB} MB`;
    clear.disabled = records.length === 0;
    all.disabled = !wanted.some(({ result }) => result !== undefined);
    all.textContent = wanted.length === records.length ? "Download all" : "Download these";
  }

  clear.addEventListener("click", () => {
    if (!confirm("Delete all edits from this browser, including the starred ones?")) return;
    void change(history.clear());
  });
  all.addEventListener("click", () => {
    downloadAll(records.filter(isWanted)).catch(() => giveNotice(UNPACKED));
  });
  search.addEventListener("input", draw);
  starred.addEventListener("input", draw);

  const page: HistoryPage = {
    async refresh() {
      if (find("page-history").hidden) return;
      records = await history.list();
      draw();
      await serverJobs.draw(records);
    },
  };
  return page;
}
