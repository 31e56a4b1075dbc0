/**
 * Plans a batch before its first edit: checks every entry, gives every edit a key, a seed and a name of its own, and
 * finds out by the journal which are done.
 */
import path from "node:path";
import {
  aboutMask,
  checkImageCount,
  checkMasking,
  checkSizeRule,
  EDIT_PARAMETERS,
  type EditDefaults,
  type ImageLimits,
  mayTakeRoom,
  type ResolvedRequest,
  RetouchError,
  roomOf,
  resolveParameters,
  unknownLora,
} from "../../index.ts";
import { sha256 } from "../../sha256.ts";
import { invalid } from "../../errors.ts";
import { chooseFormat, defaultOutput } from "../output.ts";
import type { Chains, LinkedEntry } from "./chains.ts";
import { type Entry, type Fault, inputOf, isFault, numPictures, type Parameters } from "./entry.ts";
import type { KnownEdit } from "./journal.ts";
import { checkOutputName } from "./output-name.ts";
import type { OutputPlaces } from "./output-places.ts";
import type { Sources } from "./sources.ts";

export interface PlannedEdit {
  line?: number | undefined;
  input: string;
  entry: LinkedEntry;
  /** Follows from what is edited and how, so that a later run finds the edit in the journal. */
  key: string;
  /** Below the output folder, with `/`. */
  output: string;
  parameters: Parameters & { seed: number };
  /** Bytes that its result takes beyond what every edit may, as far as its size is known. */
  roomBytes: number;
  /** What the journal has of it. */
  known?: KnownEdit | undefined;
  /** Whether an earlier run has made it, and its result is there. */
  isDone: boolean;
}

/** What the checkpoint's model takes. */
export interface ModelFacts {
  /** What also belongs to an edit's key: the checkpoint and its files, as they were named. */
  identity: readonly string[];
  limits: ImageLimits;
  takesSizeRule: boolean;
  takesMask: boolean;
  defaults: EditDefaults;
  /** Names of the LoRAs that there are. */
  loras: readonly string[];
}

export interface PlanOptions {
  model: ModelFacts;
  sources: Sources;
  places: OutputPlaces;
  chains: Chains;
  /** The journal's edits. */
  known: ReadonlyMap<string, KnownEdit>;
  /** Called before each entry is looked at. */
  onEntry(index: number): void;
  signal: AbortSignal;
}

/** @returns an edit or a fault for each result that is asked for, in the order of the entries */
export async function planBatch(
  entries: readonly (Entry | Fault)[],
  options: PlanOptions,
): Promise<(PlannedEdit | Fault)[]> {
  const { places, known, signal, chains } = options;
  const keys = new KeyMaker(options.model.identity);
  const drafts: (Draft | Fault)[] = [];
  for (const [index, entry] of entries.entries()) {
    if (signal.aborted) throw new RetouchError("ABORTED", "The batch was cancelled.");
    options.onEntry(index);
    if (isFault(entry)) drafts.push(entry);
    else {
      const made = await faultsCaught(entry, async () => draftsOf(await chains.link(entry), options, keys));
      const results = made.filter((one): one is Draft => !isFault(one));
      if (results.length > 0) chains.add(entry, results);
      drafts.push(...made);
    }
  }
  // Names that earlier runs gave out stay with their edits, whatever has been added before these.
  for (const draft of drafts) {
    const output = isFault(draft) ? undefined : known.get(draft.key)?.output;
    if (output !== undefined) await places.claim(output).catch(() => {});
  }
  const planned: (PlannedEdit | Fault)[] = [];
  for (const draft of drafts) {
    if (isFault(draft)) planned.push(draft);
    else planned.push(...(await faultsCaught(draft.entry, async () => [await placed(draft, options)])));
  }
  await refuseReplacedSources(planned, places);
  return planned;
}

/** An edit without its name. */
interface Draft {
  entry: LinkedEntry;
  key: string;
  seed: number;
  /** As of {@link PlannedEdit}. */
  roomBytes: number;
  /** The name that is asked for, or that follows from the source. */
  wanted: string;
  isChosen: boolean;
}

async function draftsOf(
  entry: LinkedEntry,
  { model, sources, known }: PlanOptions,
  keys: KeyMaker,
): Promise<Draft[]> {
  const { images, parent, pictures, parameters, numImages } = entry;
  const resolved = checkedParameters(entry, model);
  const { seed } = resolved;
  const isRandom = (parameters.seed ?? EDIT_PARAMETERS.seed.default) === EDIT_PARAMETERS.seed.default;
  const masks = Object.values(pictures);
  // What is not made yet is known by its edit.
  const digests: string[] = parent === undefined ? [] : [`result of ${parent.key}`];
  for (const source of images) digests.push(await sources.digest(source));
  for (const source of masks) digests.push(await aboutMask(() => sources.digest(source)));
  const [first] = parent === undefined ? images : [];
  const size = mayTakeRoom(resolved) && first ? await sources.size(first) : undefined;
  const roomBytes = roomOf({ ...resolved, numImages: 1 }, size);
  const drafts = Array.from({ length: numImages }, (_, index): Draft => {
    const isChosen = entry.output !== undefined;
    const wanted = numbered(entry.output ?? derivedOutput(entry), index, numImages);
    const key = keys.make({
      digests,
      pictures: Object.keys(pictures),
      parameters: { ...parameters, seed: isRandom ? null : seed + index },
      name: isChosen ? wanted : [entry.name ?? null, index, numImages],
    });
    return { entry, key, seed: seed + index, roomBytes, wanted, isChosen };
  });
  // Of one draw: seeds that earlier runs did not choose follow from one that they chose.
  const chosen = drafts.findIndex(({ key }) => known.has(key));
  const firstSeed = chosen === -1 ? seed : known.get(drafts[chosen]!.key)!.seed - chosen;
  if (drafts.some(({ key }) => !known.get(key)?.isDone)) {
    for (const source of images) await sources.check(source);
    for (const source of masks) await aboutMask(() => sources.check(source));
  }
  for (const [index, draft] of drafts.entries()) draft.seed = Math.max(firstSeed, 0) + index;
  return drafts;
}

/** @throws RetouchError INVALID_PARAMETER for what the library or the model refuses */
function checkedParameters(
  { pictures, parameters, numImages, ...entry }: LinkedEntry,
  model: ModelFacts,
): ResolvedRequest & { seed: number } {
  const resolved = resolveParameters(parameters, model.defaults);
  checkSizeRule(parameters.sizeRule, model.takesSizeRule);
  const hasMask = pictures["mask"] !== undefined;
  const count = numPictures(entry);
  checkImageCount(count, model.limits, resolved.imageLayout, hasMask);
  checkMasking(resolved, { hasMask, numImages: count, takesMask: model.takesMask });
  for (const { name } of resolved.loras) {
    if (!model.loras.includes(name)) throw unknownLora(name, model.loras);
  }
  const { seed } = resolved;
  const { min, max } = EDIT_PARAMETERS.seed;
  if (seed > max - (numImages - 1)) {
    const range = { field: "seed", wanted: "a whole number", min, max: max - (numImages - 1) };
    throw invalid("range", { ...range, given: seed });
  }
  return resolved;
}

/** The same request, made again with the same pictures under the same name, has the same key. */
class KeyMaker {
  readonly #identity: readonly string[];
  /** How often each was asked for: an entry that is there twice means two results. */
  readonly #counts = new Map<string, number>();

  constructor(identity: readonly string[]) {
    this.#identity = identity;
  }

  make(request: Record<string, unknown>): string {
    const key = sha256(canonical({ version: 1, identity: this.#identity, ...request }));
    const count = this.#counts.get(key) ?? 0;
    this.#counts.set(key, count + 1);
    return count === 0 ? key : sha256(`${key} ${count}`);
  }
}

/** JSON with the keys of objects in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** `birds/blue.jpg` becomes `birds/blue.edited.png`. */
function derivedOutput({ name, parameters }: LinkedEntry): string {
  const format = chooseFormat(undefined, parameters.format);
  if (name === "drawn" || name === undefined) {
    return defaultOutput(name === undefined ? { ...NO_SOURCE } : undefined, format);
  }
  const folder = path.posix.dirname(name);
  const file = defaultOutput({ ...NO_SOURCE, path: path.posix.basename(name) }, format);
  return folder === "." ? file : `${folder}/${file}`;
}

const NO_SOURCE = { bytes: new Uint8Array(), name: "" };

/** Of several results `night.png` becomes `night-1.png` and so on. */
function numbered(output: string, index: number, count: number): string {
  return count === 1 ? output : withNumber(output, index + 1);
}

function withNumber(output: string, number: number): string {
  const { dir, name, ext } = path.posix.parse(output);
  return path.posix.join(dir, `${name}-${number}${ext}`);
}

async function placed(draft: Draft, { places, known }: PlanOptions): Promise<PlannedEdit> {
  const { entry, key, roomBytes, wanted, isChosen } = draft;
  const before = known.get(key);
  const output = before?.output ?? (isChosen ? wanted : await freeName(wanted, places));
  checkOutputName(output);
  if (before === undefined) await places.claim(output);
  const isDone = await places.isDone(output, before);
  return {
    line: entry.line,
    input: inputOf(entry.images, entry.parent),
    entry,
    key,
    output,
    parameters: { ...entry.parameters, seed: before?.seed ?? draft.seed },
    roomBytes,
    known: before,
    isDone,
  };
}

/** The first name that no other edit of the batch has: two folders may have pictures of one name. */
async function freeName(wanted: string, places: OutputPlaces): Promise<string> {
  let name = wanted;
  for (let number = 2; await places.isClaimed(name); number += 1) name = withNumber(wanted, number);
  return name;
}

/** A result never takes the place of a picture of the batch, not even where replacing is allowed. */
async function refuseReplacedSources(planned: (PlannedEdit | Fault)[], places: OutputPlaces): Promise<void> {
  const read = new Set<string>();
  for (const one of planned) {
    if (isFault(one)) continue;
    const { images, pictures } = one.entry;
    for (const { source } of [...images, ...Object.values(pictures)]) read.add(await places.realPath(source));
  }
  for (const [index, one] of planned.entries()) {
    if (isFault(one) || one.isDone || !read.has(await places.realPath(places.fileOf(one.output)))) continue;
    const error = new RetouchError(
      "INVALID_PARAMETER",
      `${places.shown(one.output)} is an image of this batch.`,
    );
    planned[index] = { line: one.line, input: one.input, error };
  }
}

async function faultsCaught<Result>(
  { line, images, parent }: Pick<Entry, "line" | "images"> & { parent?: { output: string } | undefined },
  work: () => Promise<Result[]>,
): Promise<(Result | Fault)[]> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RetouchError) || error.code === "ABORTED") throw error;
    return [{ line, input: inputOf(images, parent), error }];
  }
}
