/** A held result: blurred until somebody wants to see it, with the two buttons that decide. */
import { button, element, show } from "../dom.ts";
import type { HeldReview, OperatorApi } from "./api.ts";
import { facts, keyText, scoresText, timeOf } from "./parts.ts";

export interface ReviewCardOptions {
  api: OperatorApi;
  review: HeldReview;
  /** Called once the decision is made, or was made by somebody else; the sentence says which. */
  onDecided: (sentence: string) => void;
  openJob: (id: string) => void;
}

export interface ReviewCard {
  root: HTMLElement;
  /** Frees its pictures. */
  close(): void;
}

const KEYS = { a: "approve", r: "reject" } as const;

export function createReviewCard({ api, review, onDecided, openJob }: ReviewCardOptions): ReviewCard {
  const { jobId, safety, pictures } = review;
  const problem = element("p", { class: "error", role: "alert" });
  const images = pictures.map((_, place) => {
    const image = element("img", { alt: "" });
    const name = pictures.length === 1 ? "picture" : `picture ${place + 1}`;
    const cover = element("span", { class: "cover" }, `Show ${name}`);
    const frame = element("button", { type: "button", class: "held", "aria-pressed": "false" }, image, cover);
    frame.setAttribute("aria-label", `Show ${name}`);
    frame.addEventListener("click", () => {
      const isShown = frame.getAttribute("aria-pressed") !== "true";
      frame.setAttribute("aria-pressed", String(isShown));
    });
    api.picture(jobId, place).then(
      (bytes) => show(image, bytes),
      (error: Error) => (problem.textContent = error.message),
    );
    return { image, frame };
  });
  const reason = element("input", {
    type: "text",
    maxlength: 1000,
    "aria-label": "Reason, for the log",
    placeholder: "Reason, for the log (optional)",
  });
  let isDeciding = false;

  async function decide(decision: "approve" | "reject"): Promise<void> {
    if (isDeciding) return;
    isDeciding = true;
    for (const one of [approve, reject]) one.disabled = true;
    problem.textContent = "";
    try {
      await api.decide(jobId, decision, reason.value.trim());
      onDecided(decision === "approve" ? "Approved." : "Rejected.");
    } catch (error) {
      const { status, message } = error as Error & { status?: number };
      // Somebody else was first, or its client cancelled.
      if (status === 409 || status === 404) return onDecided(message);
      problem.textContent = message;
      isDeciding = false;
      for (const one of [approve, reject]) one.disabled = false;
    }
  }
  const approve = button("Approve", () => void decide("approve"), "primary");
  const reject = button("Reject", () => void decide("reject"), "");
  const root = element(
    "li",
    { class: "review", tabindex: 0, "aria-label": `Held result of ${keyText(review)}` },
    element("div", { class: "held-pictures" }, ...images.map(({ frame }) => frame)),
    element(
      "div",
      { class: "operations-part" },
      facts([
        ["Instruction", review.prompt],
        ["Score", scoresText(safety.scores, safety.threshold)],
        ["Key", keyText(review)],
        ["Held", timeOf(review.heldAt)],
        ["Refused at", timeOf(review.until)],
      ]),
      reason,
      element(
        "div",
        { class: "actions" },
        approve,
        reject,
        button("Course of the job", () => openJob(jobId)),
      ),
      problem,
    ),
  );
  const isSeen = (): boolean => images.every(({ frame }) => frame.getAttribute("aria-pressed") === "true");
  root.addEventListener("keydown", (event) => {
    if (event.target !== root || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "s") for (const { frame } of images) frame.click();
    const decision = KEYS[event.key as keyof typeof KEYS];
    if (decision === undefined) return;
    // One key must not release what nobody has looked at.
    if (isSeen()) void decide(decision);
    else problem.textContent = "Look at it first: press s.";
  });
  return {
    root,
    close() {
      for (const { image } of images) if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
    },
  };
}
