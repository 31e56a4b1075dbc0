/** Where the result appears: empty, in progress, failed, or done, with everything one can do with it. */
import type { JobOutput } from "./api.ts";
import { nameOfResult, type Picked } from "./comparison.ts";
import { button, element, find, objectUrl, show } from "./dom.ts";
import { nameOf } from "./download-all.ts";
import type { JobProgress } from "./follow-job.ts";
import type { EditRecord } from "./history-store.ts";
import { showCost } from "./price.ts";
import { sayWaiting, type Waiting } from "./queue-watch.ts";
import { showSeconds } from "./seconds.ts";
import { lineage } from "./lineage.ts";
import { createResultsGrid } from "./results-grid.ts";
import { createViewer } from "./viewer.ts";

export interface StageActions {
  cancel(record: EditRecord): void;
  /** Takes the result as the next image to edit. */
  editResult(record: EditRecord): void;
  /** Takes the first source of this chain again. */
  editOriginal(record: EditRecord): void;
  repeat(record: EditRecord, seed: "same" | "new"): void;
  /** Sets the form to the seed of the result that is shown, for other words. */
  keepSeed(record: EditRecord): void;
  /** All edits of the history. */
  list(): Promise<readonly EditRecord[]>;
  /** Shows another edit. */
  open(record: EditRecord): void;
  /** Shows another one of several results. */
  choose(record: EditRecord, index: number): void;
  /** Takes a result for a comparison with another one. */
  compare(picked: Picked): void;
}

export interface Stage {
  show(record: EditRecord): void;
  waiting(waiting: Waiting): void;
  progress(progress: JobProgress): void;
  clear(): void;
  /** Whether costs are shown. @default false */
  setPriced(isPriced: boolean): void;
}

export function createStage(actions: StageActions): Stage {
  const stage = find("stage");
  let isPriced = false;
  let live:
    | {
        bar: HTMLProgressElement;
        line: HTMLElement;
        picture: HTMLImageElement;
        beginning: string;
        /** When each step was heard of. */
        steps: { step: number; at: number }[];
      }
    | undefined;

  function replace(...children: Node[]): void {
    stage.replaceChildren(...children);
  }

  function running(record: EditRecord): void {
    const line = element("p", { role: "status", class: "line-of-progress" }, "Waiting in the queue");
    const bar = element("progress", { "aria-label": "Steps" });
    const picture = element("img", { class: "forming", alt: "The image as it forms", hidden: true });
    const beginning = record.source ? "Reading the image" : "Reading the instruction";
    live = { bar, line, picture, beginning, steps: [] };
    replace(
      element("div", { class: "frame" }, waiting(record), picture),
      element(
        "div",
        { class: "live" },
        element(
          "div",
          { class: "actions" },
          line,
          button("Cancel", () => actions.cancel(record)),
        ),
        bar,
      ),
    );
  }

  function completed(record: EditRecord): void {
    const { source, others = [], result, results, chosen = 0, map, parameters, executionMs } = record;
    const { output = {} } = record;
    if (result === undefined)
      return failed({ ...record, error: "The result is no longer kept on the server." });
    const seed = results?.[chosen]?.seed ?? output.seed;
    const name = nameOf(seed ?? record.id, record);
    const shares = results ? results[chosen]?.shares : output.preserve_shares;
    const download = element(
      "a",
      {
        class: "button primary",
        href: objectUrl(result),
        download: `${name.stem}.${name.extension}`,
      },
      "Download",
    );
    replace(
      createViewer({ before: source, after: result, map, shares, prompt: record.prompt }),
      ...(results
        ? [
            createResultsGrid(
              results,
              chosen,
              (index) => actions.choose(record, index),
              (index) => {
                const { bytes, seed: own } = results[index]!;
                actions.compare({ bytes, name: nameOfResult(record.prompt, own) });
              },
            ),
          ]
        : []),
      element(
        "div",
        { class: "actions" },
        download,
        button("Edit this result", () => actions.editResult(record), "button"),
        button("New seed", () => actions.repeat(record, "new")),
        button("Same seed", () => actions.repeat(record, "same")),
        button("Keep this seed", () => actions.keepSeed(record)),
        button("Compare with another", () =>
          actions.compare({ bytes: result, name: nameOfResult(record.prompt, Number(seed)) }),
        ),
      ),
      lineage(record, actions),
      facts([
        ["Instruction", record.prompt],
        ["Images", others.length === 0 ? "" : `${others.length + 1}, the first edited`],
        ["Seed", String(seed ?? "")],
        [
          "Size",
          `${output.size ?? parameters.size}, drawn at ${output.working_size ?? "?"}`.replaceAll("*", " × "),
        ],
        ["Time", executionMs === undefined ? "" : `${(executionMs / 1000).toFixed(2)} s`],
        ["Cost", output.cost === undefined || !isPriced ? "" : showCost(output.cost)],
        [
          "Changed",
          output.changed_share === undefined
            ? ""
            : `${(output.changed_share * 100).toFixed(0)}% of the image`,
        ],
        ["Steps", output.acceleration ? stepsOf(output.acceleration) : ""],
        ["Model", output.model ?? ""],
        ["Note", (output.notices ?? []).join(" ")],
      ]),
    );
  }

  function failed(record: EditRecord): void {
    const title = record.status === "cancelled" ? "Cancelled" : "This edit failed";
    replace(
      element(
        "div",
        { class: "failure", role: record.status === "cancelled" ? "status" : "alert" },
        element("p", {}, element("strong", {}, title)),
        element("p", { class: "error-text" }, record.error ?? ""),
        button("Try again", () => actions.repeat(record, "same"), "button"),
      ),
    );
  }

  function empty(): void {
    live = undefined;
    replace(element("p", { class: "empty faint" }, "The result will appear here."));
  }

  empty();
  return {
    show(record) {
      live = undefined;
      if (record.status === "running") running(record);
      else if (record.status === "completed") completed(record);
      else failed(record);
    },
    waiting(next) {
      if (live !== undefined && live.steps.length === 0) live.line.textContent = sayWaiting(next);
    },
    progress({ step, of, preview }) {
      if (live === undefined) return;
      live.bar.max = of;
      live.bar.value = step;
      live.steps.push({ step, at: performance.now() });
      live.line.textContent =
        step === 0 ? live.beginning : `Step ${step} of ${of}${timeLeft(live.steps, of)}`;
      if (preview === undefined || !/^data:image\/(?:png|jpeg|webp);base64,/.test(preview)) return;
      live.picture.src = preview;
      live.picture.hidden = false;
    },
    clear: empty,
    setPriced: (next) => void (isPriced = next),
  };
}

/** What is shown until the image forms: the source, or an empty frame of the result's shape. */
function waiting({ source, parameters }: EditRecord): HTMLElement {
  if (source) {
    const picture = element("img", { class: "waiting", alt: "" });
    show(picture, source);
    return picture;
  }
  const blank = element("div", { class: "blank" });
  blank.style.aspectRatio = parameters.size.includes("*") ? parameters.size.replace("*", " / ") : "1";
  return blank;
}

function stepsOf({
  computed_steps: computed,
  reused_steps: reused,
  estimated_psnr: decibels,
}: NonNullable<JobOutput["acceleration"]>): string {
  const estimate = decibels === undefined ? "" : `; about ${decibels.toFixed(0)} dB PSNR against all steps`;
  return `${computed} computed, ${reused} skipped${estimate}`;
}

/** Shown from this on: less is over before it is read. */
const SHOWN_SECONDS = 5;

/** By the pace so far; steps are heard of in groups. */
function timeLeft(steps: readonly { step: number; at: number }[], of: number): string {
  const [first, last] = [steps[0]!, steps.at(-1)!];
  const taken = last.step - first.step;
  if (taken < 2) return "";
  const seconds = (((last.at - first.at) / taken) * (of - last.step)) / 1000;
  if (seconds < SHOWN_SECONDS) return "";
  return `, about ${showSeconds(seconds)} left`;
}

function facts(rows: readonly [string, string][]): HTMLElement {
  const known = rows.filter(([, value]) => value !== "");
  return element(
    "dl",
    { class: "facts" },
    ...known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
}
