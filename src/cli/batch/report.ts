/** What a batch says about its edits: rows of the summary, sentences and the report at the end. */
import { type Surface, wordError } from "../../errors.ts";
import type { Size } from "../../index.ts";
import { sayOnStderr } from "../edit.ts";
import { printText } from "../output.ts";
import { oneLine } from "../report.ts";
import { type Fault, isFault } from "./entry.ts";
import type { OutputPlaces } from "./output-places.ts";
import type { PlannedEdit } from "./plan.ts";
import type { SummaryRow } from "./summary.ts";

/** The most errors that are printed before the first edit. */
const MAX_SHOWN_ERRORS = 50;

/** The row of an edit that is not made in this run, or not yet. */
export function rowOf(one: PlannedEdit | Fault, places: OutputPlaces, surface: Surface): SummaryRow {
  if (isFault(one)) return { input: one.input, status: "failed", error: sentenceOf(one, surface) };
  const { input, output, parameters, known, isDone } = one;
  const row = { input, output: places.shown(output), seed: parameters.seed };
  if (!isDone) return { ...row, status: "waiting" };
  const { result } = known ?? {};
  return { ...row, status: "done", size: result && sizeOf(result), seconds: result?.seconds };
}

/** Why an edit cannot be made, with the line or the image. */
export function sentenceOf({ line, input, error }: Fault, surface: Surface): string {
  const sentence = oneLine(wordError(error, surface));
  if (line !== undefined) return `Line ${line}: ${sentence}`;
  const isNamed = Object.values(error.failure.values).includes(input);
  return isNamed ? sentence : `${input}: ${sentence}`;
}

const sizeOf = ({ width, height }: Size): Size => ({ width, height });

/** Names what is wrong before the first edit; the summary has all of it. */
export function complain(rows: readonly SummaryRow[]): void {
  const errors = rows.flatMap(({ error }) => error ?? []);
  for (const error of errors.slice(0, MAX_SHOWN_ERRORS)) sayOnStderr(error);
  const more = errors.length - MAX_SHOWN_ERRORS;
  if (more > 0) sayOnStderr(`${more} more of the edits are wrong.`);
}

/** One line of JSON for each edit. */
export const printRows = (rows: readonly SummaryRow[]): Promise<void> =>
  printText(process.stdout, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

/** How many edits there are in each state. @param before those that were done before this run */
export function reportText(rows: readonly SummaryRow[], before: number, summary: string): string {
  const count = (status: SummaryRow["status"]): number => rows.filter((row) => row.status === status).length;
  const earlier = before > 0 ? `, ${before} of them before` : "";
  return `edits    ${rows.length}: ${count("done")} done${earlier}, ${count("failed")} failed\nsummary  ${summary}\n`;
}
