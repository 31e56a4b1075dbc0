/** Downloads a repository's checkpoint into the cache of Hugging Face's tools, step by step. */
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { RetouchError } from "../errors.ts";
import { Checkpoint } from "../weights/checkpoint.ts";
import { incompleteOf } from "./blob-writer.ts";
import { type Cache, findSnapshot, freeBytes, openCache, withSentence } from "./cache.ts";
import { withLock } from "../files/lock.ts";
import { addressOf } from "./download.ts";
import { downloadFiles, type DownloadWatch } from "./download-files.ts";
import { aborted, createHubFetch, type HubAccess, type HubFetch, reasonOf } from "./hub-fetch.ts";
import { type HubFile, type Licence, readFiles, readRevision } from "./listing.ts";
import { createFetch, type Proxies } from "./proxy.ts";
import { checkRepository, type Repository } from "./repository.ts";
import { sizeText } from "../machine/size-text.ts";
import { MODEL_INDEX, type ModelFamily, wantedFiles } from "./wanted-files.ts";

export interface PullOptions {
  readonly repository: Repository;
  /** The model families that can be edited with; anything else is refused before it is downloaded. */
  readonly families: readonly ModelFamily[];
  readonly endpoint: string;
  readonly cacheFolder: string;
  readonly token?: string | undefined;
  /** Whether network access is forbidden. */
  readonly isOffline?: boolean | undefined;
  /** @default none */
  readonly proxies?: Proxies | undefined;
  readonly signal: AbortSignal;
  /** Asks whether the licence is accepted, and throws if it is not. Not called if there is nothing to download. */
  readonly accept: (licence: Licence) => Promise<void>;
  readonly watch: PullWatch;
  /** @default 1000 */
  readonly firstPauseMs?: number | undefined;
  /** Free space on a folder's disk. @default what the system reports */
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined;
}

/** Receives the progress. */
export interface PullWatch extends DownloadWatch {
  /** Called with everything that belongs to the checkpoint, before anything is downloaded. */
  onListed(listing: Listing): void;
  /** Called if another process is downloading the same repository. */
  onWait(): void;
}

export interface Listing {
  readonly files: readonly HubFile[];
  readonly totalBytes: number;
  /** What the cache lacks. */
  readonly missing: readonly HubFile[];
  /** Bytes of it still to be downloaded. */
  readonly missingBytes: number;
}

export interface Pulled {
  readonly repository: string;
  readonly revision: string;
  readonly commit: string;
  /** The snapshot, a checkpoint folder. */
  readonly folder: string;
  /** 0 if everything was already there. */
  readonly downloadedBytes: number;
}

const MAX_INDEX_BYTES = 1 << 20;

/**
 * @throws RetouchError INVALID_PARAMETER, HUB_REFUSED, HUB_UNAVAILABLE, CHECKPOINT_MISSING, CHECKPOINT_INVALID,
 *   CHECKPOINT_UNSUPPORTED, OUTPUT_UNWRITABLE or ABORTED; what `accept` throws as it is
 */
export async function pull(options: PullOptions): Promise<Pulled> {
  const { repository, cacheFolder } = options;
  checkRepository(repository);
  if (options.isOffline) return cachedOnly(options);
  try {
    return await pullOnline(options, openCache(cacheFolder, repository.name));
  } catch (error) {
    throw withSentence(error, cacheFolder);
  }
}

async function pullOnline(options: PullOptions, cache: Cache): Promise<Pulled> {
  const { repository, endpoint, token, signal, firstPauseMs, watch } = options;
  const { name, revision } = repository;
  const send = createFetch(options.proxies);
  const access: HubAccess = { endpoint, token, repository, signal, send, firstPauseMs };
  const hub = { endpoint, signal, fetch: createHubFetch(access) };

  // 1. Which commit, under which licence.
  const { commit, licence } = await readRevision(hub, repository);

  // 2. Which of its files.
  const listed = await readFiles(hub, name, commit);
  const index = await readIndex(access, hub.fetch, cache, commit, listed);
  const files = wantedFiles(name, index, listed, options.families);
  const listing = await compare(cache, commit, files);
  watch.onListed(listing);

  const folder = cache.snapshot(commit);
  if (listing.missing.length > 0) {
    // 3. Whether they are accessible, and whether they fit.
    await options.accept(licence);
    await checkRoom(options, listing.missingBytes);

    // 4. The bytes.
    const lock = path.join(cache.folder, ".retouch-pull.lock");
    await withLock(lock, { signal, aborted, onWait: watch.onWait }, () =>
      downloadFiles(access, cache, commit, files, watch),
    );
  }
  await cache.writeReference(revision, commit);

  // 5. Whether the result can be opened.
  await checkWhole(folder, options.families);
  return { repository: name, revision, commit, folder, downloadedBytes: listing.missingBytes };
}

async function cachedOnly({ repository, families, cacheFolder, watch }: PullOptions): Promise<Pulled> {
  const folder = await findSnapshot(cacheFolder, repository);
  const isWhole = folder !== undefined && (await checkWhole(folder, families).then(always, never));
  if (!isWhole) {
    throw new RetouchError(
      "CHECKPOINT_MISSING",
      `HF_HUB_OFFLINE is set, and ${cacheFolder} has no whole ${repository.name} at ${repository.revision}; unset it to download.`,
    );
  }
  watch.onListed({ files: [], totalBytes: 0, missing: [], missingBytes: 0 });
  const { name, revision } = repository;
  return { repository: name, revision, commit: path.basename(folder), folder, downloadedBytes: 0 };
}

const always = (): boolean => true;
const never = (): boolean => false;

/** `model_index.json`, from the cache or by a separate request: it says which other files are needed. */
async function readIndex(
  access: HubAccess,
  fetch: HubFetch,
  cache: Cache,
  commit: string,
  listed: readonly HubFile[],
): Promise<unknown> {
  const { name } = access.repository;
  const file = listed.find((entry) => entry.path === MODEL_INDEX);
  if (file === undefined || file.size > MAX_INDEX_BYTES) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `${name} has no ${MODEL_INDEX}, as diffusers writes it.`,
    );
  }
  const text = (await cache.has(file, commit))
    ? await readFile(path.join(cache.snapshot(commit), MODEL_INDEX), "utf8")
    : await fetch(addressOf(access, MODEL_INDEX, commit)).then((answer) => textOf(access, answer));
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RetouchError("CHECKPOINT_INVALID", `The ${MODEL_INDEX} of ${name} is not JSON.`, { cause });
  }
}

async function textOf({ endpoint, signal }: HubAccess, answer: Response): Promise<string> {
  return answer.text().catch((cause: unknown) => {
    if (signal.aborted) throw aborted();
    throw new RetouchError("HUB_UNAVAILABLE", `${endpoint} cannot be used: ${reasonOf(cause)}.`, { cause });
  });
}

async function compare(cache: Cache, commit: string, files: readonly HubFile[]): Promise<Listing> {
  const missing: HubFile[] = [];
  let missingBytes = 0;
  for (const file of files) {
    if ((await cache.has(file, commit)) || (await cache.hasBlob(file))) continue;
    missing.push(file);
    missingBytes += file.size - (await bytesOf(cache, file));
  }
  return { files, totalBytes: sumOf(files), missing, missingBytes };
}

/** Bytes that an earlier run left. */
async function bytesOf(cache: Cache, file: HubFile): Promise<number> {
  const found = await stat(incompleteOf(cache.blob(file))).catch(() => undefined);
  return found === undefined || found.size > file.size ? 0 : found.size;
}

const sumOf = (files: readonly HubFile[]): number => files.reduce((sum, { size }) => sum + size, 0);

async function checkRoom(options: PullOptions, missingBytes: number): Promise<void> {
  const free = await (options.freeBytes ?? freeBytes)(options.cacheFolder);
  if (free >= missingBytes) return;
  throw new RetouchError(
    "OUTPUT_UNWRITABLE",
    `${sizeText(missingBytes)} are to be downloaded, and the disk of ${options.cacheFolder} has room for ${sizeText(free)}; HF_HUB_CACHE or --cache-dir names another folder.`,
  );
}

/** Opens the configuration and the headers of all weights, as an edit would. */
async function checkWhole(folder: string, families: readonly ModelFamily[]): Promise<void> {
  const checkpoint = await Checkpoint.open(folder);
  const family = families.find(({ className }) => className === checkpoint.className);
  for (const component of family?.weightFolders ?? []) await checkpoint.weights(component);
}
