/** What an operator's key shows beside everybody's pages, read anew every few seconds while it is looked at. */
import { ApiError, UnreachableError } from "../api.ts";
import { element, find } from "../dom.ts";
import { createTabs } from "../tabs.ts";
import type { OperatorApi } from "./api.ts";
import { createJobView } from "./job-view.ts";
import { createKeysPanel } from "./keys-panel.ts";
import { drawDisk, drawQueue, drawWorkers } from "./lists.ts";
import { createReviewQueue } from "./review-queue.ts";

export interface OperationsPage {
  /** Whether the key is an operator's: otherwise there is no way to the page. */
  setOperator(isOperator: boolean): void;
  /** Whether the page is the one that is shown. */
  setShown(isShown: boolean): void;
}

export interface OperationsOptions {
  api: OperatorApi;
  onConnection: (isThere: boolean) => void;
  onRefusedKey: () => void;
}

const REFRESH_MS = 5000;
const NAMES = ["Review", "Queue", "Workers", "Keys", "Disk", "Job"] as const;
type Name = (typeof NAMES)[number];
const NO_OPERATOR = "This page is for operators' keys.";

export function createOperationsPage({ api, onConnection, onRefusedKey }: OperationsOptions): OperationsPage {
  const link = find("operations-link");
  const panel = element("div", {
    id: "operations-panel",
    role: "tabpanel",
    tabindex: 0,
    class: "operations-part",
  });
  const problem = element("p", { class: "error", role: "alert" });
  let isShown = false;
  let isOperator = false;
  let chosen: Name = "Review";
  /** What the panel was drawn from: what is the same is not drawn again, under somebody's hands. */
  let drawn = "";

  const reviews = createReviewQueue({ api, openJob, onChange: () => void refresh() });
  const job = createJobView(() => void refresh());
  const keys = createKeysPanel({
    api,
    onChange() {
      drawn = "";
      void refresh();
    },
  });
  const tabs = createTabs(NAMES, {
    label: "Operations",
    controls: panel.id,
    onChoose(index) {
      chosen = NAMES[index]!;
      panel.setAttribute("aria-label", chosen);
      drawn = "";
      if (chosen === "Review") panel.replaceChildren(reviews.root);
      else if (chosen === "Job") panel.replaceChildren(job.root);
      else if (chosen === "Keys") panel.replaceChildren(keys.root);
      else panel.replaceChildren();
      void refresh();
    },
  });

  function openJob(id: string): void {
    job.setId(id);
    const index = NAMES.indexOf("Job");
    tabs.choose(index);
    tabs.buttons[index]!.focus();
  }

  /** Shows a reply, unless it is what is there. */
  function show<Reply>(reply: Reply, draw: (reply: Reply) => void): void {
    const text = JSON.stringify(reply) ?? "none";
    if (text === drawn) return;
    drawn = text;
    draw(reply);
  }
  const fill = <Reply>(reply: Reply, parts: (reply: Reply) => HTMLElement[]): void =>
    show(reply, () => panel.replaceChildren(...parts(reply)));

  const SHOWING: Readonly<Record<Name, () => Promise<() => void>>> = {
    async Review() {
      const [held, { entries }] = await Promise.all([api.reviews(), api.log()]);
      return () => show([held, entries] as const, (news) => reviews.draw(...news));
    },
    async Queue() {
      const reply = await api.queue();
      return () => fill(reply, drawQueue);
    },
    async Workers() {
      const reply = await api.workers();
      return () => fill(reply, (workers) => drawWorkers(workers, openJob));
    },
    async Keys() {
      const reply = await api.keys();
      return () => show(reply, keys.draw);
    },
    async Disk() {
      const reply = await api.disk();
      return () => fill(reply, drawDisk);
    },
    async Job() {
      const id = job.id();
      const found = id === "" ? undefined : await api.job(id).catch(missing);
      return () => show(found, job.draw);
    },
  };

  async function refresh(): Promise<void> {
    if (!isShown) return;
    problem.textContent = isOperator ? "" : NO_OPERATOR;
    if (!isOperator) return;
    const wanted = chosen;
    try {
      const shown = await SHOWING[wanted]();
      onConnection(true);
      // Another tab may have been chosen meanwhile.
      if (wanted === chosen && isShown) shown();
    } catch (error) {
      if (error instanceof UnreachableError) onConnection(false);
      else if (error instanceof ApiError && error.status === 401) onRefusedKey();
      else problem.textContent = (error as Error).message;
    }
  }

  find("operations").replaceChildren(element("div", { class: "tabs" }, tabs.list), problem, panel);
  tabs.choose(0);
  setInterval(() => {
    if (!document.hidden) void refresh();
  }, REFRESH_MS);

  return {
    setOperator(now) {
      if (now === isOperator) return;
      isOperator = now;
      link.hidden = !now;
      drawn = "";
      if (!now) {
        reviews.clear();
        keys.clear();
        if (chosen !== "Review" && chosen !== "Job" && chosen !== "Keys") panel.replaceChildren();
      }
      void refresh();
    },
    setShown(now) {
      if (now === isShown) return;
      isShown = now;
      void refresh();
    },
  };
}

/** A job that is not there is a sentence here, and no fault. */
function missing(error: unknown): string {
  if (error instanceof ApiError && error.status === 404)
    return "There is no such job, or it is no longer kept.";
  throw error;
}
