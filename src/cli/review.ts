/** `retouch review list | show | approve | reject | log`, with or without a running server. */
import os from "node:os";
import path from "node:path";
import { loadConfig } from "../config/config.ts";
import type { Config } from "../config/settings.ts";
import { invalid, RetouchError, shownValue } from "../errors.ts";
import { createLog } from "../log.ts";
import {
  type HeldJob,
  MAX_REASON,
  readHeldPictures,
  type Reviews,
  type SafetyRecord,
  type Verdict,
} from "../service/held-pictures.ts";
import { withAdmin } from "../service/keys.ts";
import { outputsOf, writeNumberedOutputs } from "./numbered-outputs.ts";
import { printText } from "./output.ts";
import { oneLine } from "./report.ts";
import { type ServiceFlags, withServiceFlags } from "./service-flags.ts";

/** Far longer than any id, and short enough for a sentence. */
const MAX_ID_LENGTH = 200;
const MAX_SHOWN_PROMPT = 80;
/** Results or entries that one command prints. */
const MOST_LISTED = 1000;
const LOG_LENGTH = 100;

/** The flags as commander passes them. */
export type ReviewFlags = ServiceFlags & { json?: boolean };

/** Prints what waits for a decision, the oldest first. */
export async function runReviewList(flags: ReviewFlags): Promise<void> {
  const { held, total } = await withReviews(flags, ({ reviews }) =>
    reviews.list({ offset: 0, limit: MOST_LISTED }),
  );
  if (flags.json) return print({ held, total });
  if (held.length === 0) return print("Nothing waits for a decision.");
  const lines = held.map((one) => {
    const { jobId, until, keyName, keyId, prompt } = one;
    const key = oneLine(keyName ?? keyId);
    return `${jobId}  until ${time(until)}  ${scoresText(one.safety)}  ${key}  ${oneLine(prompt.slice(0, MAX_SHOWN_PROMPT))}`;
  });
  if (total > held.length) lines.push(`and ${total - held.length} more.`);
  await print(lines.join("\n"));
}

/** Prints what is known of one held result, and saves its pictures. */
export async function runReviewShow(id: string, flags: ReviewFlags & { output?: string }): Promise<void> {
  checkId(id);
  const { held, files } = await withReviews(flags, async ({ reviews, config }) => {
    const found = await reviews.find(id);
    if (found === undefined) throw nothingHeld(id);
    return { held: found, files: flags.output === undefined ? [] : await save(config, found, flags.output) };
  });
  if (flags.json) return print({ ...held, files });
  const { keyId, keyName, heldAt, until, safety, pictures, prompt } = held;
  const rows = [
    ["job", held.jobId],
    ["key", keyName === undefined ? keyId : `${oneLine(keyName)} (${keyId})`],
    ["held", `${time(heldAt)}, until ${time(until)}`],
    ["safety", `${scoresText(safety)} by ${safety.checker.name} ${safety.checker.sha256.slice(0, 12)}`],
    ["pictures", String(pictures.length)],
    ["instruction", oneLine(prompt)],
    ...files.map((file) => ["saved", file]),
  ];
  await print(rows.map(([name, value]) => `${name!.padEnd(12)} ${value}`).join("\n"));
}

/** Decides on a held result, unless somebody has. */
export async function runReviewDecide(
  id: string,
  verdict: Verdict,
  { reason, ...flags }: ReviewFlags & { reason?: string },
): Promise<void> {
  checkId(id);
  if (reason !== undefined && reason.length > MAX_REASON) {
    throw invalid("tooLong", { field: "--reason", max: MAX_REASON, count: reason.length });
  }
  const actor = { name: `${os.userInfo().username} at the command line` };
  const job = await withReviews(flags, ({ reviews }) => reviews.decide(id, { verdict, actor, reason }));
  if (job === undefined) throw nothingHeld(id);
  await print(flags.json ? { jobId: id, verdict } : `${id} is ${verdict}.`);
}

/** Prints the log, newest first: of one job, or of all. */
export async function runReviewLog(id: string | undefined, flags: ReviewFlags): Promise<void> {
  if (id !== undefined) checkId(id);
  const page = { jobId: id, offset: 0, limit: flags.json ? MOST_LISTED : LOG_LENGTH };
  const entries = await withReviews(flags, ({ reviews }) => reviews.log(page));
  if (flags.json) return print(entries);
  const lines = entries.map(({ at, jobId, event, actor, reason, safety }) => {
    const by = oneLine(actor.name) + (actor.keyId === undefined ? "" : ` (${actor.keyId})`);
    const scores = safety === undefined ? "" : `  ${scoresText(safety)}`;
    return `${time(at)}  ${jobId}  ${event.padEnd(9)}  ${by}${scores}${reason ? `  ${oneLine(reason)}` : ""}`;
  });
  await print(lines.length === 0 ? "The log has no entries." : lines.join("\n"));
}

function withReviews<Result>(
  flags: ServiceFlags,
  work: (given: { reviews: Reviews; config: Config }) => Promise<Result>,
): Promise<Result> {
  return withServiceFlags(flags, (variables) => {
    const config = loadConfig(variables);
    return withAdmin({ config, log: createLog({ level: "error" }) }, ({ reviews }) =>
      work({ reviews, config }),
    );
  });
}

/**
 * Writes the pictures, over no other file: FILE, or FILE-1, FILE-2 and so on of several.
 * @throws RetouchError OUTPUT_UNWRITABLE; STORAGE_UNAVAILABLE
 */
async function save(config: Config, held: HeldJob, output: string): Promise<string[]> {
  const images = await readHeldPictures(config, held);
  const { pictures } = held;
  const [first] = pictures;
  const named = path.extname(output) === "" && first ? `${output}${path.extname(first.key)}` : output;
  const files = outputsOf(named, images.length);
  await writeNumberedOutputs(files, images);
  return files;
}

/** Each score with a star where it was flagged, and the threshold. */
function scoresText({ scores, threshold }: SafetyRecord): string {
  const each = scores.map((score) => `${score.toFixed(3)}${score >= threshold ? "*" : ""}`);
  return `score ${each.join(" ")} of ${threshold}`;
}

function checkId(id: string): void {
  if (id.length > MAX_ID_LENGTH) {
    throw invalid("tooLong", { field: "<id>", max: MAX_ID_LENGTH, count: id.length });
  }
}

const nothingHeld = (id: string): RetouchError =>
  new RetouchError(
    "INVALID_PARAMETER",
    `No result of a job with the id ${shownValue(id)} waits for a decision.`,
  );

const time = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, "Z");

const print = (output: unknown): Promise<void> =>
  printText(process.stdout, `${typeof output === "string" ? output : JSON.stringify(output)}\n`);
