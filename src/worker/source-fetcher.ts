/**
 * Downloads the images of waiting jobs, beside whatever the engine computes: several at once, and not all of
 * one key, so that slow hosts block neither the engine nor the images of others.
 */
import { maskError } from "../engine/mask-rules.ts";
import { failure, RetouchError } from "../errors.ts";
import type { WorkQueue } from "../jobs/contracts.ts";
import type { ClaimedSource, JobImage, JobImages, StoredSource } from "../jobs/job.ts";
import { jobFailureOf } from "../jobs/job-failure.ts";
import type { Log } from "../log.ts";
import { untilWritten } from "./attempt.ts";
import type { EngineProcess, FetchOutcome } from "./engine-process.ts";
import type { Outage } from "./outage.ts";

export interface SourceFetcherOptions {
  queue: WorkQueue;
  engine: Pick<EngineProcess, "isReady" | "fetch">;
  log: Log;
  outage: Outage;
  workerId: string;
  writePatienceMs: number;
  /** Whether our storage would take an image. @default always */
  isStorageAway?: (() => boolean) | undefined;
  /** Called where it did not, with what the log needs. */
  onStorageAway?: ((detail: string) => void) | undefined;
  /** Deletes a stored image that no job refers to. */
  discardSource: (key: string) => Promise<void>;
  /** @default 4 */
  maxAtOnce?: number | undefined;
  /** At once per key. @default 2 */
  maxOfKey?: number | undefined;
}

export interface SourceFetcher {
  start(): void;
  /** Gives back what is under way, and takes no more. */
  stop(): Promise<void>;
}

const MAX_AT_ONCE = 4;
const MAX_OF_KEY = 2;
const POLL_MS = 1000;
/** Polls from one look to the next, where nothing says that there is more: news may be missed while a connection is down. */
const LOOK_POLLS = 5;
/** Downloads during which the process ended, before the image is blamed for it. */
const MAX_TRIES = 5;

const NOT_DOWNLOADED = jobFailureOf(
  new RetouchError(
    "IMAGE_UNREADABLE",
    failure("about", {
      field: "image",
      sentence: "the picture could not be downloaded; the engine process ended each time.",
    }),
  ),
);

/** What became of all downloads of a job. */
type AllOutcome =
  | Exclude<FetchOutcome, { kind: "fetched" }>
  | ({ kind: "kept"; sources: readonly StoredSource[] } & JobImages);

export function createSourceFetcher(options: SourceFetcherOptions): SourceFetcher {
  const { queue, engine, log, outage, workerId, discardSource } = options;
  const { maxAtOnce = MAX_AT_ONCE, maxOfKey = MAX_OF_KEY, writePatienceMs } = options;
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  const patience = { outage, shutdown: stopping.signal, writePatienceMs };
  let timer: NodeJS.Timeout | undefined;
  let stopListening = (): void => {};
  let looking: Promise<void> | undefined;
  let isAsked = false;
  /** Whether a look could not be taken: the next poll takes it. */
  let isOwed = false;
  let polls = 0;

  function poll(): void {
    polls += 1;
    if (isOwed || polls % LOOK_POLLS === 0) look();
  }

  /** Takes what there is to take, one look at a time; a call in the meantime makes it look again. */
  function look(): void {
    isAsked = true;
    looking ??= takeAll().finally(() => (looking = undefined));
  }

  async function takeAll(): Promise<void> {
    while (isAsked) {
      isAsked = false;
      isOwed = !engine.isReady || options.isStorageAway?.() === true;
      while (
        !stopping.signal.aborted &&
        engine.isReady &&
        !options.isStorageAway?.() &&
        running.size < maxAtOnce
      ) {
        const source = await outage
          .watch(() => queue.claimSource(workerId, { maxOfKey }))
          .catch(() => void (isOwed = true));
        if (source === undefined) break;
        const work = fetchOne(source).catch((error: unknown) =>
          log.error({ err: error, jobId: source.id }, "What became of an image could not be written."),
        );
        running.add(work);
        void work.then(() => {
          running.delete(work);
          look();
        });
      }
    }
  }

  async function fetchOne(source: ClaimedSource): Promise<void> {
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, stopping.signal]);
    const stopWatching = queue.onChanged(source.id, () => {
      void outage
        .watch(() => queue.holdsSource(source, workerId))
        .then((isHeld) => isHeld || controller.abort())
        .catch(() => {});
    });
    try {
      await settle(source, await fetchAll(source, signal));
    } finally {
      stopWatching();
    }
  }

  /** Downloads what is still elsewhere, one after the other; if one fails, those before it are deleted. */
  async function fetchAll({ id, images, mask }: ClaimedSource, signal: AbortSignal): Promise<AllOutcome> {
    const sources: StoredSource[] = [];
    const stored: JobImage[] = [];
    for (const [index, image] of (mask === undefined ? images : [...images, mask]).entries()) {
      if (image.kind === "stored") {
        stored.push(image);
        continue;
      }
      const outcome = await engine.fetch(id, image.url, { signal });
      if (outcome.kind !== "fetched") {
        await discardAll(sources);
        const isOfMask = index === images.length && outcome.kind === "failed" && outcome.failure;
        if (!isOfMask) return outcome;
        const { code, ...reason } = outcome.failure!;
        return { ...outcome, ...jobFailureOf(maskError(new RetouchError(code, reason))) };
      }
      const { key, bytes, size, sha256 } = outcome;
      sources.push({ key, bytes });
      stored.push({ kind: "stored", key, size, sha256 });
    }
    return { kind: "kept", images: stored.slice(0, images.length), mask: stored[images.length], sources };
  }

  async function discardAll(sources: readonly StoredSource[]): Promise<void> {
    // The sweeper finds what cannot be deleted.
    await Promise.all(sources.map(({ key }) => discardSource(key).catch(() => {})));
  }

  async function settle(source: ClaimedSource, outcome: AllOutcome): Promise<void> {
    const write = (work: () => Promise<boolean>) => untilWritten(patience, work);
    if (outcome.kind === "kept") {
      const { images, mask, sources } = outcome;
      const written = await write(() => queue.keepSource(source, workerId, { images, mask, sources }));
      // Where the key has no room for them, too. If it may have been written all the same, the sweeper checks who needs the
      // images.
      if (written === "refused") await discardAll(sources);
    } else if (outcome.kind === "failed") {
      await write(() => queue.failSource(source, workerId, outcome));
    } else if (outcome.kind === "crashed" && source.tries >= MAX_TRIES) {
      await write(() => queue.failSource(source, workerId, NOT_DOWNLOADED));
    } else {
      if (outcome.kind === "storageAway") options.onStorageAway?.(outcome.detail);
      await write(() => queue.releaseSource(source, workerId, { isTried: outcome.kind === "crashed" }));
    }
  }

  return {
    start() {
      if (timer !== undefined) return;
      stopListening = queue.onSource(look);
      timer = setInterval(poll, POLL_MS);
      look();
    },
    async stop() {
      stopListening();
      clearInterval(timer);
      stopping.abort();
      await looking;
      await Promise.all(running);
    },
  };
}
