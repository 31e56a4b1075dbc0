/** How far a batch is: on a terminal a bar over all edits, elsewhere a line for each that has ended. */
import type { EditOptions } from "../../index.ts";
import { createProgress, type Progress, type Terminal } from "../progress.ts";
import { oneLine } from "../report.ts";
import type { SummaryRow } from "./summary.ts";

export interface BatchProgress {
  /** The terminal's line. */
  line: Progress;
  phase(text: string): void;
  checking(index: number, of: number): void;
  /** The edits begin; those that need nothing count as made. */
  begin(rows: readonly SummaryRow[]): void;
  editing(input: string): void;
  step: NonNullable<EditOptions["onStep"]>;
  /** An edit is done, or failed. */
  ended(row: SummaryRow, notices: readonly string[]): void;
  clear(): void;
}

export function createBatchProgress(stream: Terminal, isWanted: boolean): BatchProgress {
  const line = createProgress(stream, isWanted);
  const isTerminal = stream.isTTY === true;
  let of = 0;
  let done = 0;
  /** Edits that this run has to make, and has made. */
  let [toMake, made] = [0, 0];
  let began = performance.now();
  let input = "";
  const said = new Set<string>();
  const say = (sentence: string): void => {
    line.clear();
    stream.write(`retouch: ${oneLine(sentence)}\n`);
  };
  const draw = (what: string, part = 0): void => {
    const ended = made + part;
    const seconds = (performance.now() - began) / 1000;
    const secondsLeft = ended > 0 ? (seconds / ended) * (toMake - ended) : undefined;
    line.edits({ done: done + part, of, what: oneLine(what), secondsLeft });
  };
  return {
    line,
    phase: line.phase,
    checking: (index, all) => line.edits({ done: index, of: all, what: "checking", secondsLeft: undefined }),
    begin(rows) {
      of = rows.length;
      toMake = rows.filter(({ status }) => status === "waiting").length;
      done = of - toMake;
      began = performance.now();
    },
    editing(given) {
      input = given;
      draw(input);
    },
    step: ({ step, of: steps }) => draw(`${input}, step ${step}/${steps}`, step / steps),
    ended(row, notices) {
      made += 1;
      done += 1;
      const { output, seconds = 0, status, error } = row;
      if (status === "failed") say(`${done}/${of} failed: ${error}`);
      else if (isWanted && !isTerminal) say(`${done}/${of} done: ${output} (${seconds.toFixed(2)} s)`);
      // One that concerns every edit is said once.
      for (const notice of isWanted ? notices : []) {
        if (!said.has(notice)) say(notice);
        said.add(notice);
      }
      draw(input);
    },
    clear: line.clear,
  };
}
