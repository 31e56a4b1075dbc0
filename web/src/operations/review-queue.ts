/** The review queue: held results that stay in place while others come and go, and the last decisions. */
import { element } from "../dom.ts";
import type { HeldReview, LogEntry, OperatorApi } from "./api.ts";
import { jobLink } from "./lists.ts";
import { table, timeOf } from "./parts.ts";
import { createReviewCard, type ReviewCard } from "./review-card.ts";

export interface ReviewQueue {
  root: HTMLElement;
  draw(held: { reviews: HeldReview[]; total: number }, log: LogEntry[]): void;
  /** Frees its pictures. */
  clear(): void;
}

export interface ReviewQueueOptions {
  api: OperatorApi;
  openJob: (id: string) => void;
  /** Called after a decision. */
  onChange: () => void;
}

export function createReviewQueue({ api, openJob, onChange }: ReviewQueueOptions): ReviewQueue {
  const cards = new Map<string, ReviewCard>();
  const said = element("p", { role: "status" });
  const list = element("ul", { class: "reviews", "aria-label": "Results that wait for a decision" });
  const more = element("p", { class: "faint" });
  const decisions = element("div");
  const hint = element(
    "p",
    { class: "faint" },
    "With the keyboard, on a result: ↑ and ↓ move, s shows it, a approves, r rejects.",
  );
  list.addEventListener("keydown", (event) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const target = event.target as HTMLElement;
    if (step === 0 || target.parentElement !== list) return;
    event.preventDefault();
    const next = step > 0 ? target.nextElementSibling : target.previousElementSibling;
    (next as HTMLElement | null)?.focus();
  });

  function remove(jobId: string): void {
    const card = cards.get(jobId);
    if (card === undefined) return;
    const hadFocus = card.root.contains(document.activeElement);
    const next = card.root.nextElementSibling ?? card.root.previousElementSibling;
    card.root.remove();
    card.close();
    cards.delete(jobId);
    if (hadFocus && next) (next as HTMLElement).focus();
  }

  function add(review: HeldReview): void {
    const { jobId } = review;
    const card = createReviewCard({
      api,
      review,
      openJob,
      onDecided(sentence) {
        said.textContent = sentence;
        remove(jobId);
        onChange();
      },
    });
    cards.set(jobId, card);
    list.append(card.root);
  }

  return {
    root: element("div", { class: "operations-part" }, said, list, more, hint, decisions),
    draw({ reviews, total }, log) {
      const wanted = new Set(reviews.map(({ jobId }) => jobId));
      for (const jobId of cards.keys()) if (!wanted.has(jobId)) remove(jobId);
      for (const review of reviews) if (!cards.has(review.jobId)) add(review);
      list.hidden = hint.hidden = reviews.length === 0;
      more.textContent =
        total === 0 ? "Nothing waits for a decision." : total > reviews.length ? `${total} wait in all.` : "";
      decisions.replaceChildren(
        table(
          "The last entries of the log",
          [
            { name: "Event", cell: ({ event }) => event },
            { name: "Time", cell: ({ at }) => timeOf(at) },
            { name: "By", cell: ({ actor }) => actor.name },
            { name: "Job", cell: ({ jobId }) => jobLink(jobId, openJob) },
            { name: "Reason", cell: ({ reason }) => reason ?? "" },
          ],
          log,
          "The log has no entries.",
        ),
      );
    },
    clear() {
      for (const jobId of cards.keys()) remove(jobId);
    },
  };
}
