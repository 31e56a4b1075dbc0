/** Downloads files into the cache, a few at a time. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Cache } from "./cache.ts";
import { download } from "./download.ts";
import { createHubFetch, type HubAccess } from "./hub-fetch.ts";
import type { HubFile } from "./listing.ts";

/** More would be slower for everyone behind the same line. */
const AT_A_TIME = 4;

/** Hears how the downloads go. */
export interface DownloadWatch {
  /** Bytes of the checkpoint that are there, now and again, and how many of them came in this run. */
  onProgress(done: number, received: number): void;
  /** A file has come and is checked. */
  onFile(file: HubFile): void;
}

/** The first failure ends all; what has come stays. @throws what the first failure was */
export async function downloadFiles(
  access: HubAccess,
  cache: Cache,
  commit: string,
  files: readonly HubFile[],
  watch: DownloadWatch,
): Promise<void> {
  await mkdir(path.join(cache.folder, "blobs"), { recursive: true });
  const tally = createTally((done, received) => watch.onProgress(done, received));
  await eachFewAtATime(blobsOf(files), access.signal, async (same, signal) => {
    const [file] = same as [HubFile];
    const onBytes = tally(file.oid, same.length);
    const own = { ...access, signal };
    const places = await Promise.all(same.map((each) => cache.has(each, commit)));
    const isDownloaded = !places.every(Boolean) && !(await cache.hasBlob(file));
    if (isDownloaded) {
      await download(own, createHubFetch(own), { file, commit, blob: cache.blob(file), onBytes });
    }
    onBytes(file.size);
    for (const [position, each] of same.entries()) {
      if (!places[position] || isDownloaded) {
        await cache.link(each, commit, isDownloaded && same.length === 1);
      }
    }
    if (isDownloaded) watch.onFile(file);
  });
}

/** Two files with the same bytes are one blob, and must not be written twice at once. */
const blobsOf = (files: readonly HubFile[]): HubFile[][] =>
  [...new Set(files.map(({ oid }) => oid))].map((oid) => files.filter((file) => file.oid === oid));

type Tally = (blob: string, numFiles: number) => (bytes: number) => void;

/** Adds up what is there of each blob, once for every file that it is, and what came in this run. */
function createTally(onChange: (done: number, received: number) => void): Tally {
  const have = new Map<string, number>();
  let received = 0;
  return (blob, numFiles) => {
    let last: number | undefined;
    return (bytes) => {
      // The first figure is what an earlier run left.
      if (last !== undefined) received += Math.max(bytes - last, 0);
      last = bytes;
      have.set(blob, bytes * numFiles);
      onChange(
        [...have.values()].reduce((sum, value) => sum + value, 0),
        received,
      );
    };
  };
}

/** Ends the others with the signal that each is given where one fails, and waits for them. */
async function eachFewAtATime<Item>(
  items: readonly Item[],
  outer: AbortSignal,
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([outer, stop.signal]);
  const failures: unknown[] = [];
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item, signal);
  };
  const workers = Array.from({ length: AT_A_TIME }, () =>
    worker().catch((error: unknown) => {
      failures.push(error);
      stop.abort();
    }),
  );
  await Promise.all(workers);
  if (failures.length > 0) throw failures[0];
}
