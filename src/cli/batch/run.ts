/** Runs a batch: checks all of it, then makes what is not done yet, one edit after the other, with one engine. */
import { realpath } from "node:fs/promises";
import path from "node:path";
import { loadHistoryFile, loadReceiptKey } from "../../config/config.ts";
import { messageOf, nameOf, RetouchError, type Surface } from "../../errors.ts";
import { lockFolder } from "../../files/folder-lock.ts";
import { makeFolder } from "../../files/write-once.ts";
import { unwritable } from "../../files/write-atomically.ts";
import { createEngine, type Engine, type EngineOptions, type LoraUse } from "../../index.ts";
import { type LoraArgument, nameLoras } from "../arguments.ts";
import { showConversion } from "../conversion.ts";
import { DEMO_NOTICE, orAborted, sayOnStderr } from "../edit.ts";
import { checkDiskRoomForAll } from "../disk-room.ts";
import { type EngineFlags, engineOptionsOf } from "../engine-options.ts";
import { createHistory, type History } from "../history.ts";
import { printText } from "../output.ts";
import { PartialFailure } from "../partial-failure.ts";

import { createChains } from "./chains.ts";
import { type Entry, type Fault, isFault } from "./entry.ts";
import { type Journal, type KnownEdit, openJournal, readJournal } from "./journal.ts";
import { makeEdit, settle } from "./make.ts";
import { readModelFacts } from "./model-facts.ts";
import { JOURNAL_FOLDER } from "./output-name.ts";
import { createOutputPlaces, type OutputPlaces } from "./output-places.ts";
import { type PlannedEdit, planBatch } from "./plan.ts";
import { createBatchProgress } from "./progress.ts";
import { complain, printRows, reportText, rowOf, sentenceOf } from "./report.ts";
import { createSources } from "./sources.ts";
import type { SummaryRow } from "./summary.ts";
import { summaryFile } from "./summary-file.ts";

/** The flags that `retouch batch` and `retouch edit` have in common. */
export interface BatchFlags extends EngineFlags {
  /** The output folder. */
  output: string;
  lora?: LoraArgument[] | undefined;
  overwrite?: boolean | undefined;
  dryRun?: boolean | undefined;
  /** Whether edits are made from the original, where a line does not say. */
  fromOriginal?: boolean | undefined;
  /** Whether the edits are remembered, where the environment does not say so. */
  history?: boolean | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
}

/** What entries are collected with. */
export interface CollectContext {
  /** Whether a file or folder is the batch's own, and so no source of it. */
  isOwn(file: string): Promise<boolean>;
  /** What applies where an entry does not choose. */
  loras: readonly LoraUse[];
  isFromOriginal: boolean;
  /** Says something that the user should know. */
  say(sentence: string): void;
}

export interface BatchRun {
  flags: BatchFlags;
  /** Whose names the sentences about entries use. */
  surface: Surface;
  collect(context: CollectContext): Promise<(Entry | Fault)[]>;
  signal: AbortSignal;
  /** @default createEngine */
  open?: ((options: EngineOptions) => Promise<Engine>) | undefined;
}

/** How long an owner on another machine may be silent: a step of its edit may take minutes, in which it does nothing else. */
const SILENCE_MS = 600_000;

/**
 * Makes every edit that is not done, and writes the summary.
 * @throws PartialFailure if some could not be made; RetouchError if none could: DATA_DIR_IN_USE if another process
 * works on the folder, ABORTED, or what is wrong with the command line, the checkpoint or the folder
 */
export async function runBatch(run: BatchRun): Promise<void> {
  const { flags } = run;
  if (flags.dryRun === true) return withPlan(run, await readJournal(flags.output), showPlan);
  await makeFolder(path.resolve(flags.output)).catch((error: unknown) => {
    throw unwritable(flags.output, error);
  });
  const root = await realpath(flags.output);
  const lock = await lockFolder(path.join(root, JOURNAL_FOLDER), {
    called: `The output folder ${flags.output}`,
    silenceMs: SILENCE_MS,
  });
  try {
    const journal = await openJournal(root);
    try {
      await settle(root, journal, { isReplacing: flags.overwrite ?? false });
      const signal = AbortSignal.any([run.signal, lock.lost]);
      const hold = { root, journal, lost: lock.lost };
      await withPlan({ ...run, signal }, journal.edits, (batch) => makeAll({ ...batch, ...hold }));
    } finally {
      await journal.close();
    }
  } catch (error) {
    if (!lock.lost.aborted || run.signal.aborted) throw error;
    throw new RetouchError("DATA_DIR_IN_USE", `Another process has taken the output folder ${flags.output}.`);
  } finally {
    await lock.release();
  }
}

/** A batch that is planned. */
interface Batch {
  run: BatchRun;
  options: EngineOptions;
  places: OutputPlaces;
  sources: ReturnType<typeof createSources>;
  history: History;
  receiptKey: string | undefined;
  planned: readonly (PlannedEdit | Fault)[];
  /** One row for each of them. */
  rows: SummaryRow[];
  progress: ReturnType<typeof createBatchProgress>;
}

async function withPlan(
  run: BatchRun,
  known: ReadonlyMap<string, KnownEdit>,
  work: (batch: Batch) => Promise<void>,
): Promise<void> {
  const { flags, signal, surface } = run;
  const isTalking = flags.quiet !== true && flags.json !== true;
  const progress = createBatchProgress(process.stderr, isTalking);
  try {
    const loras = nameLoras(flags.lora ?? []);
    const options = await engineOptionsOf(flags, loras.files);
    const model = await readModelFacts(options);
    const places = await createOutputPlaces(flags.output, { isReplacing: flags.overwrite ?? false });
    const sources = createSources(signal);
    const history = createHistory(loadHistoryFile(flags.history));
    const receiptKey = loadReceiptKey();
    const chains = createChains(history, signal);
    const made = new Set<string>();
    for (const { output } of known.values()) made.add(await places.realPath(places.fileOf(output)));
    const own = await places.realPath(path.resolve(flags.output));
    progress.phase("looking for pictures");
    const entries = await run.collect({
      loras: loras.uses,
      isFromOriginal: flags.fromOriginal ?? false,
      say: isTalking ? sayOnStderr : () => {},
      isOwn: async (file) => {
        const real = await places.realPath(path.resolve(file));
        return real === own || made.has(real);
      },
    });
    const onEntry = (index: number): void => progress.checking(index, entries.length);
    const planned = await planBatch(entries, { model, sources, places, chains, known, onEntry, signal });
    progress.clear();
    const rows = planned.map((one) => rowOf(one, places, surface));
    complain(rows);
    await work({ run, options, places, sources, history, receiptKey, planned, rows, progress });
  } finally {
    progress.clear();
  }
}

async function showPlan({ run, rows }: Batch): Promise<void> {
  const { flags } = run;
  if (flags.json === true) await printRows(rows);
  else if (flags.quiet !== true) {
    const lines = rows.flatMap(({ input, output, status }) =>
      status === "failed" ? [] : [`${status === "done" ? "is done" : "waiting"}  ${input} -> ${output}\n`],
    );
    await printText(process.stdout, lines.join(""));
  }
  const wrong = rows.filter(({ status }) => status === "failed").length;
  if (wrong > 0) throw new PartialFailure(`${wrong} of ${rows.length} edits cannot be made.`);
}

interface Makeable extends Batch {
  root: string;
  journal: Journal;
  /** Aborts when another process has the folder. */
  lost: AbortSignal;
}

async function makeAll(batch: Makeable): Promise<void> {
  const { run, planned, rows, journal, root } = batch;
  const { flags, signal } = run;
  const summary = await summaryFile(root, {
    shown: flags.output,
    mayReplace: journal.isBegun || flags.overwrite === true,
  });
  const fresh = planned.filter((one): one is PlannedEdit => !isFault(one) && one.known === undefined);
  const plans = fresh.map(({ key, output, parameters: { seed } }) => {
    return { event: "planned", key, output, seed } as const;
  });
  await journal.append([{ event: "begun" }, ...plans]);
  await summary.write(rows);
  const left = planned.filter((one): one is PlannedEdit => !isFault(one) && !one.isDone);
  const before = rows.filter(({ status }) => status === "done").length;
  let engine: Engine | undefined;
  try {
    if (left.length > 0) {
      const bytes = left.reduce((sum, { roomBytes }) => sum + roomBytes, 0);
      await checkDiskRoomForAll(root, left.length, bytes);
      engine = await openEngine(batch);
      await makeEach(batch, engine, summary);
    }
  } finally {
    await summary.write(rows);
    // After an abort the process ends at once and takes the networks with it.
    if (!signal.aborted) await engine?.close();
  }
  batch.progress.clear();
  if (flags.json === true) await printRows(rows);
  else if (flags.quiet !== true) await printText(process.stdout, reportText(rows, before, summary.shown));
  const failed = rows.filter(({ status }) => status === "failed").length;
  if (failed > 0) {
    throw new PartialFailure(`${failed} of ${rows.length} edits failed; ${summary.shown} names them.`);
  }
}

async function openEngine({ run, options, progress }: Batch): Promise<Engine> {
  const { flags, signal, open = createEngine } = run;
  progress.phase("loading the checkpoint");
  const engine = await orAborted(open({ ...options, onConversion: showConversion(progress.line) }), signal);
  progress.clear();
  if (flags.quiet !== true) {
    const notices = [...engine.device.notices, ...(engine.checkpoint.notices ?? [])];
    for (const notice of engine.checkpoint.isDemo ? [...notices, DEMO_NOTICE] : notices) sayOnStderr(notice);
  }
  return engine;
}

async function makeEach(
  batch: Makeable,
  engine: Engine,
  summary: Awaited<ReturnType<typeof summaryFile>>,
): Promise<void> {
  const { run, planned, rows, progress, places } = batch;
  const { signal, surface } = run;
  progress.begin(rows);
  for (const [index, edit] of planned.entries()) {
    if (isFault(edit) || edit.isDone) continue;
    if (signal.aborted) throw cancelled(rows);
    progress.editing(edit.input);
    try {
      const { result, record } = await makeEdit(engine, edit, {
        ...batch,
        isReplacing: run.flags.overwrite ?? false,
        offerName: nameOf("fromOriginal", surface),
        signal,
        onStep: progress.step,
      });
      const known = { ...edit.parameters, output: edit.output, result: record, isDone: true };
      rows[index] = rowOf({ ...edit, known, isDone: true }, places, surface);
      progress.ended(rows[index], result.notices);
    } catch (error) {
      if (signal.aborted) throw cancelled(rows);
      if (isFatal(error)) throw error;
      const failed = { line: edit.line, input: edit.input, error: asRetouchError(error) };
      rows[index] = { ...rows[index]!, status: "failed", error: sentenceOf(failed, surface) };
      progress.ended(rows[index], []);
    }
    await summary.writeSometimes(rows);
  }
}

/** What would fail every other edit as well: the disk is full, or gone. */
function isFatal(error: unknown): boolean {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  if (code === "DISK_FULL") return true;
  return code === "OUTPUT_UNWRITABLE" && ["ENOSPC", "EDQUOT", "EROFS", "EIO"].includes(String(cause?.code));
}

const asRetouchError = (error: unknown): RetouchError =>
  error instanceof RetouchError
    ? error
    : new RetouchError("RUNTIME_FAILED", `Unexpected failure: ${messageOf(error)}`, { cause: error });

function cancelled(rows: readonly SummaryRow[]): RetouchError {
  const done = rows.filter(({ status }) => status === "done").length;
  sayOnStderr(`${done} of ${rows.length} edits are done; run the same command again to continue.`);
  return new RetouchError("ABORTED", "The batch was cancelled.");
}
