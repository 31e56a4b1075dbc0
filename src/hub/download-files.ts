/** Downloads files into the cache, a few at a time. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Cache } from "./cache.ts";
import { download } from "./download.ts";
import { createHubFetch, type HubAccess } from "./hub-fetch.ts";
import type { HubFile } from "./listing.ts";

/** More at once would slow down everyone on the same connection. */
const AT_A_TIME = 4;

/** Receives the progress of the downloads. */
export interface DownloadWatch {
  /** Called repeatedly with the checkpoint's bytes that are there, and how many of them arrived in this run. */
  onProgress(done: number, received: number): void;
  /** A file has arrived and has been checked. */
  onFile(file: HubFile): void;
}

/** The first failure ends all downloads; what has arrived stays. @throws the first failure */
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

/** Groups files by content: two files with the same bytes are one blob, which must not be written twice at once. */
const blobsOf = (files: readonly HubFile[]): HubFile[][] =>
  [...new Set(files.map(({ oid }) => oid))].map((oid) => files.filter((file) => file.oid === oid));

type Tally = (blob: string, numFiles: number) => (bytes: number) => void;

/** Adds up the bytes of each blob, counted once per file that uses it, and the bytes that arrived in this run. */
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

/** If one fails, aborts the others through the signal that each is given, and waits for them. */
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
