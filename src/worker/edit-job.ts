/** One job inside the engine process: source, edit, result. Untrusted bytes are decoded here and nowhere else. */
import { sha256 } from "../sha256.ts";
import { failure, invalid, RetouchError } from "../errors.ts";
import { toDataUrl } from "../images/data-url.ts";
import { encodeMap, encodeMask } from "../images/encode.ts";
import { uprightSize } from "../images/upright-size.ts";
import type {
  JobEdit,
  JobImage,
  JobProgress,
  JobResultImage,
  KeptState,
  KeyRoom,
  Precision,
} from "../jobs/job.ts";
import { costOf } from "../jobs/price.ts";
import type { WeightsKind } from "../engine/component.ts";
import { stepOfAll } from "../engine/draws.ts";
import type { GroupPlace } from "../engine/edit-group.ts";
import { knownFields } from "../engine/request-fields.ts";
import { noRoomText, roomOf } from "../engine/result-room.ts";
import { largestKind } from "../engine/weights-choice.ts";
import type { Engine } from "../engine/engine.ts";
import { skippedSteps } from "../engine/mask-rules.ts";
import type { EditResult } from "../engine/run-edit.ts";
import type { Agents } from "../net/agents.ts";
import type { FreeSpace } from "../storage/free-space.ts";
import { createKey } from "../storage/storage.ts";
import { deliverApproved, isForBucket, storeInBucket, type StoredResults } from "./bucket-results.ts";
import { throwIfAborted } from "./failures.ts";
import { readState } from "./kept-state.ts";
import { judge } from "./flagged.ts";
import { keepOwn, type OwnStorage, readOwn } from "./own-storage.ts";
import type { EditCircumstances, EditDone, EditNote, EditStage, EngineSetup } from "./protocol.ts";
import { createPreviews } from "./previews.ts";
import { createStateKeeper, type StateKeeper } from "./state-keeper.ts";

export interface EditJobDependencies {
  engine: Pick<Engine, "checkpoint" | "edit"> & Partial<Pick<Engine, "checkerIdentity">>;
  storage: OwnStorage;
  /** For connections to the caller's own bucket. */
  agents: Agents;
  limits: Pick<EngineSetup, "price" | "resumeAfterMs" | "flagged">;
  /** Room on the disk of our storage. @default nobody counts it */
  freeSpace?: FreeSpace | undefined;
}

export interface EditJobOptions extends Omit<EditCircumstances, "group"> {
  /** Its place among the jobs that run together with it. @default it runs alone */
  place?: GroupPlace | undefined;
  signal: AbortSignal;
  onProgress: (progress: JobProgress) => void;
  onStage?: ((stage: EditStage) => void) | undefined;
  /** Called after each failed try to store the result, with what the log needs. */
  onWaiting?: ((detail: string) => void) | undefined;
  /** Aborts when the worker is about to end. */
  stopping?: AbortSignal | undefined;
  /** Called with every state that was stored. */
  onState?: ((state: KeptState) => void) | undefined;
  onNote?: ((note: EditNote) => void) | undefined;
}

/** Ten updates per second are enough for the eye, and spare the database. */
const PROGRESS_INTERVAL_MS = 100;
/** How results name the kinds of weights. */
const PRECISION_OF: Readonly<Record<WeightsKind, Precision>> = {
  fp32: "float32",
  fp16: "float16",
  bf16: "bfloat16",
  int8: "int8",
  int4: "int4",
};

/**
 * Runs one job: `onProgress` is called at its start, with the steps that an earlier attempt took, after its last step, and
 * in between at most ten times per second.
 * @throws RetouchError about the field of the request; FlaggedResult; STORAGE_UNAVAILABLE if our storage does not give the source;
 * ABORTED by `signal`, then nothing is left stored
 */
export async function runEditJob(
  dependencies: EditJobDependencies,
  edit: JobEdit,
  options: EditJobOptions,
): Promise<EditDone> {
  const { storage, limits } = dependencies;
  const { stopping, onState: onKept = () => {}, onNote } = options;
  const onError = (reason: string): void =>
    onNote?.({ level: "warn", sentence: `The state of the edit could not be kept: ${reason}` });
  const keeper = createStateKeeper({ storage, afterMs: limits.resumeAfterMs, stopping, onKept, onError });
  try {
    return await editAndStore(dependencies, edit, { ...options, keeper });
  } finally {
    keeper.end();
  }
}

async function editAndStore(
  dependencies: EditJobDependencies,
  edit: JobEdit,
  options: EditJobOptions & { keeper: StateKeeper },
): Promise<EditDone> {
  const { engine, limits } = dependencies;
  const { signal, owner, onProgress, onStage = () => {}, state, onNote, keeper } = options;
  if (options.approved && isForBucket(edit)) {
    return deliverApproved(dependencies, edit.bucket, options.approved, signal);
  }
  onStage("reading");
  const { numImages = 1 } = edit;
  const of = edit.numSteps * numImages;
  // What is shown of an interrupted edit stays until it is known that it goes on.
  if (state === undefined) onProgress({ step: 0, of });
  let reportedAt = performance.now();
  const previews = createPreviews(edit);
  const loading = performance.now();
  const images: Uint8Array[] = [];
  for (const image of edit.images) images.push(await readSource(dependencies, image, "image", signal));
  const mask = edit.mask && (await readSource(dependencies, edit.mask, "mask", signal));
  await checkRoom(dependencies, edit, images[0], options.room);
  const restart = (reason: string): void => {
    onNote?.({ level: "warn", sentence: `The edit starts from the beginning: its state ${reason}.` });
    onProgress({ step: 0, of });
  };
  const resumeFrom = state && (await readState(dependencies.storage, state, signal));
  if (typeof resumeFrom === "string") restart(resumeFrom);
  const loadMs = performance.now() - loading;
  onStage("editing");
  const done = await engine.edit(
    // What the wire has besides is not the library's.
    { ...knownFields<Partial<JobEdit>>(edit), image: images, images: undefined, mask },
    {
      signal,
      owner,
      group: options.place,
      receiptKey: options.receiptKey,
      isSketched: edit.isPreviewed,
      safetyThreshold: options.safetyThreshold,
      isFlaggedKept: true,
      onState: limits.resumeAfterMs === Infinity ? undefined : keeper.offer,
      resumeFrom: typeof resumeFrom === "string" ? undefined : resumeFrom,
      onResume(outcome) {
        if (outcome.kind === "refused") return restart(outcome.reason);
        const { step } = outcome;
        onNote?.({ level: "info", sentence: `The edit goes on after step ${step} of ${of}.` });
        onProgress({ step, of });
      },
      async onStep(step) {
        const now = performance.now();
        // Over all results; the last step is followed by the images themselves.
        const { step: taken } = stepOfAll(step);
        const isLast = taken === of;
        const isTold = isLast || previews.isPartialDue(taken) || now - reportedAt >= PROGRESS_INTERVAL_MS;
        if (!isTold) return;
        reportedAt = now;
        onProgress({ step: taken, of, ...(await previews.after(taken, step)) });
      },
    },
  );
  const judged = await judge(engine, done, limits.flagged ?? "refuse");
  const { parameters, seconds } = done;
  const maps: Uint8Array[] = [];
  for (const { kept } of done.results) if (kept?.map) maps.push(await encodeMap(kept.map));
  const storing = performance.now();
  const stored = await storeResults(
    dependencies,
    edit,
    { ...done, maps, isHeld: judged?.isHeld ?? false },
    options,
  );
  const storeMs = performance.now() - storing;
  const results = await Promise.all(
    done.results.map(async ({ seed, safety, kept, receipt }, index) => ({
      image: stored.images[index]!,
      seed,
      receipt,
      safetyScore: safety?.score,
      changedShare: kept?.changedShare,
      unchangedMask: kept && toDataUrl("image/png", await encodeMask(kept.mask)),
      preserveShares: kept?.shares,
      // All have one, or none.
      mask: stored.maps[index],
    })),
  );
  const [{ image, receipt, changedShare, unchangedMask, preserveShares, mask: map }] = results as [
    JobResultImage,
  ];
  return {
    judged,
    worthTogether: done.worthTogether,
    timing: {
      totalMs: seconds.total * 1000,
      denoiseMs: seconds.denoise * 1000,
      partsMs: { load: loadMs, ...inMs(seconds.parts), store: storeMs },
      images: done.referenceSizes,
      numSteps: stepsTaken(done),
    },
    result: {
      image,
      receipt,
      images: results.length > 1 ? results : undefined,
      format: done.format,
      hasTransparency: done.hasTransparency || undefined,
      size: { width: done.width, height: done.height },
      workingSize: done.workingSize,
      referenceSize: done.referenceSize,
      seed: parameters.seed,
      numSteps: parameters.numSteps,
      sampler: parameters.sampler === "euler" ? undefined : parameters.sampler,
      guidance: parameters.guidance,
      acceleration: done.acceleration,
      isNegativeUsed: parameters.trueCfgScale > 1,
      trueCfgScale: parameters.trueCfgScale,
      loras: parameters.loras,
      model: engine.checkpoint.name,
      precision: PRECISION_OF[largestKind(engine.checkpoint.weights)],
      safetyScore: done.safety?.score,
      changedShare,
      unchangedMask,
      preserveShares,
      mask: map,
      tokens: done.tokens,
      lineage: edit.lineage,
      notices: [...(edit.requestNotices ?? []), ...done.notices],
      // Of all the source's pixels, most were only copied or carried over.
      cost: costOf(limits.price, edit.size === "source" ? done.workingSize : done, results.length),
    },
  };
}

const inMs = <Part extends string>(parts: Readonly<Record<Part, number>>): Record<Part, number> =>
  Object.fromEntries(
    Object.entries<number>(parts).map(([part, seconds]) => [part, seconds * 1000]),
  ) as Record<Part, number>;

/**
 * Refuses results that have no room on the disk, or for their owner, before they are drawn; the server did not know the size
 * of an image that was given by URL.
 * @throws RetouchError INVALID_PARAMETER, QUOTA_EXCEEDED
 */
async function checkRoom(
  { freeSpace }: EditJobDependencies,
  edit: JobEdit,
  image: Uint8Array | undefined,
  room: KeyRoom | undefined,
): Promise<void> {
  if ((freeSpace === undefined && room === undefined) || edit.bucket !== undefined) return;
  // The engine tells what is wrong with the image.
  const size = image && (await uprightSize(image).catch(() => undefined));
  if (image && !size) return;
  const bytes = roomOf(edit, size);
  if (bytes === 0) return;
  if (room && bytes > room.bytes) {
    const sentence = `${noRoomText(edit, size)}: ${room.fullText}`;
    throw new RetouchError("QUOTA_EXCEEDED", failure("about", { field: "size", sentence }));
  }
  await freeSpace?.admit(bytes).catch((cause: unknown) => {
    throw invalid("about", { field: "size", sentence: `${noRoomText(edit, size)}.` }, { cause });
  });
}

/** If not all were computed: how many, of each result. */
function stepsTaken({
  parameters,
  acceleration,
  resumedFrom,
  results,
}: Pick<EditResult, "parameters" | "acceleration" | "resumedFrom" | "results">): number | undefined {
  const skipped = skippedSteps(parameters);
  const { numSteps } = parameters;
  if (acceleration !== undefined && acceleration.reusedSteps > 0) {
    // Of an interrupted edit it is not known how many this run computed: it says nothing of the speed.
    return resumedFrom === undefined ? acceleration.computedSteps / results.length : 0;
  }
  if (resumedFrom === undefined) return skipped === 0 ? undefined : numSteps - skipped;
  const notBegun = results.length - Math.ceil(resumedFrom / numSteps);
  return (results.length * numSteps - resumedFrom - notBegun * skipped) / results.length;
}

async function readSource(
  { storage }: EditJobDependencies,
  image: JobImage,
  field: "image" | "mask",
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (image.kind !== "stored") throw new Error("A job runs when its image is in the storage.");
  const bytes = await readOwn(storage, image.key, { field, signal });
  throwIfAborted(signal);
  if (bytes === undefined) {
    const gone = failure("about", { field, sentence: "the image is no longer there." });
    throw new RetouchError("IMAGE_UNREADABLE", gone);
  }
  return bytes;
}

/** Stores all results and their maps, or none. @throws RetouchError as {@link runEditJob} */
async function storeResults(
  { storage, agents }: EditJobDependencies,
  edit: JobEdit,
  {
    images,
    maps,
    format,
    isHeld,
  }: Pick<EditResult, "images" | "format"> & { maps: readonly Uint8Array[]; isHeld: boolean },
  { signal, onStage = () => {}, onWaiting = () => {} }: EditJobOptions,
): Promise<StoredResults> {
  throwIfAborted(signal);
  if (!isHeld && isForBucket(edit)) {
    return storeInBucket(edit.bucket, { images, maps, format }, { agents, signal });
  }
  onStage("storing");
  const stored: string[] = [];
  const keep = async (key: string, bytes: Uint8Array): Promise<{ key: string; bytes: number }> => {
    await keepOwn(storage, key, bytes, { signal, onWaiting });
    stored.push(key);
    return { key, bytes: bytes.byteLength };
  };
  const [kind, folder] = edit.isInlineResult
    ? (["embedded", "inline"] as const)
    : (["stored", "outputs"] as const);
  const results: StoredResults = { images: [], maps: [] };
  try {
    for (const image of images) {
      const place = await keep(createKey(folder, format), image);
      results.images.push({ kind, ...place, sha256: sha256(image) });
    }
    // A map is never embedded: it has an address of its own.
    for (const map of maps) {
      results.maps.push({ kind: "stored", ...(await keep(createKey("outputs", "png"), map)) });
    }
  } catch (error) {
    // Nobody will ever ask for them. The deletion is not waited for; the sweeper finds what it misses.
    for (const key of stored) void storage.delete(key).catch(() => {});
    throw error;
  }
  return results;
}
