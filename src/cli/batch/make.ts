/** Makes one edit of a batch, and gives its result its name exactly once. */
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { sha256 } from "../../sha256.ts";
import { invalid, RetouchError } from "../../errors.ts";
import { digestOfFile, makeFolder, nameStagedFile, stageFile } from "../../files/write-once.ts";
import { unwritable } from "../../files/write-atomically.ts";
import {
  type EditOptions,
  type EditResult,
  type Engine,
  readImageSource,
  resolveParameters,
} from "../../index.ts";
import { checkDiskRoom } from "../disk-room.ts";
import { rememberedEdits, type StartingPoint, startingPoint } from "../from-original.ts";
import type { History } from "../history.ts";
import { rememberedPlace } from "./chains.ts";
import type { ParentResult } from "./entry.ts";
import type { Journal, KnownEdit, ResultRecord } from "./journal.ts";
import { JOURNAL_FOLDER } from "./output-name.ts";
import { checkStillInside } from "./output-places.ts";
import type { PlannedEdit } from "./plan.ts";
import type { Sources } from "./sources.ts";

/** How long an edit runs between two of its states; writing one takes some hundredths of a second. */
const STATE_EVERY_MS = 30_000;
/** How long an edit that is being stopped must have run for its state to be worth keeping. */
const STOPPED_AFTER_MS = 2000;
/** A state of the largest edit, 4096 x 4096 pixels, has some tens of megabytes. */
const MAX_STATE_BYTES = 512 * 2 ** 20;

export interface Making {
  /** Of the output folder, without symbolic links. */
  root: string;
  journal: Journal;
  sources: Sources;
  history: History;
  /** Signs the receipts of results. @default they are not signed */
  receiptKey?: string | undefined;
  /** What the wish to begin with the original is called where the edit was asked for. */
  offerName: string;
  isReplacing: boolean;
  signal: AbortSignal;
  /** Aborts when another process has the folder. */
  lost: AbortSignal;
  onStep: NonNullable<EditOptions["onStep"]>;
  /** @default 30,000 */
  stateEveryMs?: number | undefined;
}

/**
 * Makes an edit that is in the journal. Killed at any moment, it is either done, or finished by {@link settle}, or made
 * again from its latest state.
 * @throws RetouchError about the edit
 */
export async function makeEdit(
  engine: Engine,
  edit: PlannedEdit,
  making: Making,
): Promise<{ result: EditResult; record: ResultRecord }> {
  const { root, journal, sources, history, isReplacing, signal, lost, onStep, receiptKey } = making;
  const { images, parent, pictures } = edit.entry;
  const before = parent && (await parentResult(parent, making));
  const image: Uint8Array[] = before === undefined ? [] : [before.bytes];
  for (const source of images) image.push(await sources.read(source));
  const others: Record<string, Uint8Array> = {};
  for (const [field, source] of Object.entries(pictures)) others[field] = await sources.read(source);
  const request = { ...others, image, ...edit.parameters };
  const target = path.join(root, ...edit.output.split("/"));
  await checkDiskRoom(target, resolveParameters(edit.parameters), image[0]);
  const start = await startOf(edit, { picture: image[0], file: before?.file }, making);
  const state = stateKeeper(path.join(root, JOURNAL_FOLDER, `${edit.key}.state`), making);
  const resumeFrom = await state.read();
  const result = await engine.edit(request, {
    signal,
    onStep,
    onState: state.offer,
    resumeFrom,
    receiptKey,
  });
  // One that was cancelled after its last step is finished; another process's folder is left alone.
  if (lost.aborted) throw new RetouchError("ABORTED", "The output folder was taken by another process.");

  const staged = stagedFile(target, edit.key);
  await prepareFolder(root, target);
  await stageFile(staged, result.image);
  // First, so that a result with its name is remembered; once more does no harm.
  const seen = { hasMask: others["mask"] !== undefined, numImages: image.length };
  await history.add(rememberedEdits(start, [result.image], seen));
  const record: ResultRecord = {
    sha256: sha256(result.image),
    width: result.width,
    height: result.height,
    seconds: Number(result.seconds.total.toFixed(3)),
  };
  await journal.append([{ event: "made", key: edit.key, ...record }]);
  if (!(await nameStagedFile(staged, target, { isReplacing }))) {
    throw new RetouchError(
      "OUTPUT_UNWRITABLE",
      `${edit.output} appeared in the output folder while this edit ran; --overwrite replaces it.`,
    );
  }
  await journal.append([{ event: "done", key: edit.key }]);
  await state.remove();
  return { result: { ...result, notices: [...start.notices, ...result.notices] }, record };
}

/** The result of the edit that another one continues. @throws RetouchError about `parent` */
async function parentResult(
  { output, key }: ParentResult,
  { journal, root }: Making,
): Promise<{ bytes: Uint8Array; file: string }> {
  const known = journal.edits.get(key);
  const refused = (sentence: string): RetouchError => invalid("about", { field: "parent", sentence });
  if (known?.isDone !== true || known.result === undefined) throw refused(`${output} was not made.`);
  const file = path.join(root, ...known.output.split("/"));
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes === undefined) throw refused(`${known.output} is no longer there.`);
  if (sha256(bytes) !== known.result.sha256)
    throw refused(`${known.output} has been changed since it was made.`);
  return { bytes, file };
}

/** As it is to be remembered, and whether the original could be edited instead. */
function startOf(
  { entry, parameters }: PlannedEdit,
  { picture, file }: { picture: Uint8Array | undefined; file: string | undefined },
  { history, offerName, signal }: Making,
): Promise<StartingPoint> {
  const { prompt = "", prompt2 } = parameters;
  return startingPoint(history, {
    picture: picture && { bytes: picture, name: "" },
    place: rememberedPlace(entry, file),
    prompt,
    prompt2: prompt2 || undefined,
    isFromOriginal: false,
    name: offerName,
    read: (place) => readImageSource(place, { signal, isVerified: true }),
  });
}

/**
 * Finishes what a killed process had made and not named, or not noted as named. What cannot be finished is made again.
 * @param root without symbolic links
 */
export async function settle(
  root: string,
  journal: Journal,
  { isReplacing }: { isReplacing: boolean },
): Promise<void> {
  for (const [key, known] of journal.edits) {
    if (known.isDone || known.result === undefined) continue;
    if (await isNamed(root, key, known, isReplacing).catch(() => false)) {
      await journal.append([{ event: "done", key }]);
      await stateKeeper(path.join(root, JOURNAL_FOLDER, `${key}.state`)).remove();
    }
  }
}

async function isNamed(
  root: string,
  key: string,
  { output, result }: KnownEdit,
  isReplacing: boolean,
): Promise<boolean> {
  const target = path.join(root, ...output.split("/"));
  const staged = stagedFile(target, key);
  await checkStillInside(root, target);
  if ((await digestOfFile(target)) === result!.sha256) {
    await rm(staged, { force: true });
    return true;
  }
  if ((await digestOfFile(staged)) !== result!.sha256) return false;
  return nameStagedFile(staged, target, { isReplacing });
}

/** Beside the target, so that it can be renamed onto it. */
const stagedFile = (target: string, key: string): string =>
  path.join(path.dirname(target), `.retouch-${key.slice(0, 24)}.tmp`);

async function prepareFolder(root: string, target: string): Promise<void> {
  try {
    await makeFolder(path.dirname(target));
  } catch (error) {
    throw unwritable(target, error);
  }
  await checkStillInside(root, target);
}

/** Keeps the state of a long edit between its steps, so that an interruption costs seconds and not hours. */
function stateKeeper(
  file: string,
  { signal, stateEveryMs = STATE_EVERY_MS }: Partial<Pick<Making, "signal" | "stateEveryMs">> = {},
) {
  let last = performance.now();
  return {
    async read(): Promise<Uint8Array | undefined> {
      const found = await stat(file).catch(() => undefined);
      if (found === undefined || !found.isFile() || found.size > MAX_STATE_BYTES) return undefined;
      return readFile(file);
    },
    offer: async ({
      step,
      of,
      isImageFinished,
      encode,
    }: Parameters<NonNullable<EditOptions["onState"]>>[0]): Promise<void> => {
      if (step === of) return;
      const wait = signal?.aborted === true ? Math.min(stateEveryMs, STOPPED_AFTER_MS) : stateEveryMs;
      if (performance.now() - last < wait && !isImageFinished) return;
      await mkdir(path.dirname(file), { recursive: true });
      await stageFile(`${file}.tmp`, await encode());
      await nameStagedFile(`${file}.tmp`, file, { isReplacing: true });
      last = performance.now();
    },
    remove: () => rm(file, { force: true }),
  };
}
