/** The course of one job, found by its id. */
import { element } from "../dom.ts";
import type { JobCourse } from "./api.ts";
import { facts, keyText, scoresText, table, timeOf } from "./parts.ts";

export interface JobView {
  root: HTMLElement;
  /** Puts an id into the field. */
  setId(id: string): void;
  id(): string;
  /** Shows a job, or why there is none. */
  draw(found: JobCourse | string | undefined): void;
}

const EVENTS: Readonly<Record<string, string>> = {
  queued: "Queued",
  imagesStored: "Pictures downloaded",
  started: "Started",
  givenBack: "Given back to the queue",
  held: "Held for review",
  approved: "Approved, on its way to the client's bucket",
  retried: "Queued again by its client",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  timedOut: "Timed out",
};

/** @param onAsk called where another job is asked for */
export function createJobView(onAsk: () => void): JobView {
  const field = element("input", { id: "job-id", type: "text", autocomplete: "off", spellcheck: "false" });
  const shown = element("div", { class: "operations-part", role: "status" });
  const form = element(
    "form",
    { class: "filters" },
    element("label", { class: "field", for: "job-id" }, "Job"),
    field,
    element("button", { type: "submit", class: "primary" }, "Show"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onAsk();
  });
  return {
    root: element("div", { class: "operations-part" }, form, shown),
    id: () => field.value.trim(),
    setId(id) {
      field.value = id;
    },
    draw(found) {
      if (found === undefined) {
        shown.replaceChildren(
          element("p", { class: "faint" }, "The id of a job, of any key, shows its course."),
        );
      } else if (typeof found === "string") shown.replaceChildren(element("p", { class: "error" }, found));
      else shown.replaceChildren(...drawJob(found));
    },
  };
}

function drawJob(job: JobCourse): HTMLElement[] {
  const { progress, safety } = job;
  return [
    facts([
      ["State", job.isHeld ? `${job.status}, waits for a review` : job.status],
      ["Key", keyText(job)],
      ["Endpoint", job.endpoint],
      ...(progress ? [["Steps", `${progress.step} of ${progress.of}`] as const] : []),
      ...(safety ? [["Safety score", scoresText(safety.scores, safety.threshold)] as const] : []),
      ...(safety
        ? [["Checker", `${safety.checker.name}, ${safety.checker.sha256.slice(0, 12)}`] as const]
        : []),
    ]),
    table(
      "Its course",
      [
        { name: "Event", cell: ({ event }) => EVENTS[event] ?? event },
        { name: "Time", cell: ({ at }) => timeOf(at) },
        { name: "Worker", cell: ({ worker }) => worker ?? "" },
        { name: "Run", cell: ({ attempt }) => String(attempt ?? ""), isNumber: true },
        { name: "Reason", cell: ({ reason }) => reason ?? "" },
      ],
      job.course,
      "Nothing is recorded: the job is older than the record.",
    ),
    table(
      "Its webhooks",
      [
        { name: "Receiver", cell: ({ url }) => url },
        { name: "State", cell: ({ status }) => status },
        { name: "Tries", cell: ({ attempts }) => String(attempts), isNumber: true },
        { name: "Last try", cell: ({ lastAttemptAt }) => (lastAttemptAt ? timeOf(lastAttemptAt) : "") },
        { name: "Answer", cell: ({ lastStatus, lastError }) => String(lastStatus ?? lastError ?? "") },
      ],
      job.deliveries,
      "It has no webhook to report.",
    ),
  ];
}
