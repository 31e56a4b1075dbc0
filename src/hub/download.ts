/** Downloads one file from the hub into the cache: resumed if interrupted, checked before it gets its name. */
import { RetouchError } from "../errors.ts";
import { BlobWriter } from "./blob-writer.ts";
import { aborted, type HubAccess, type HubFetch, MAX_FAILURES, pause, reasonOf } from "./hub-fetch.ts";
import type { HubFile } from "./listing.ts";

export interface Download {
  readonly file: HubFile;
  readonly commit: string;
  /** Where the bytes go. */
  readonly blob: string;
  /** Called with how many bytes of the file are there. */
  readonly onBytes: (have: number) => void;
}

const STALL_MS = 60_000;
/** Once may be a transmission error; twice means the hub is sending wrong bytes. */
const MAX_DAMAGED = 2;

/** @throws RetouchError HUB_REFUSED, HUB_UNAVAILABLE or ABORTED; a file system error as it is */
export async function download(access: HubAccess, fetch: HubFetch, job: Download): Promise<void> {
  const { file, blob, onBytes } = job;
  const url = addressOf(access, file.path, job.commit);
  const writer = await BlobWriter.open(file, blob, access.signal).catch(orAborted(access.signal));
  try {
    let furthest = writer.have;
    for (let failures = 0, damaged = 0; ;) {
      onBytes(writer.have);
      const cut = writer.have < file.size ? await receive(access, fetch, url, writer, job) : undefined;
      if (cut === undefined) {
        if (await writer.finish()) return;
        damaged += 1;
        if (damaged < MAX_DAMAGED) continue;
        await writer.discard();
        throw new RetouchError(
          "HUB_UNAVAILABLE",
          `${file.path} came with other bytes than the hub lists, twice; nothing of it was kept.`,
        );
      }
      // As long as a download makes progress, it may be interrupted any number of times.
      failures = writer.have > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, writer.have);
      if (failures >= MAX_FAILURES) {
        throw new RetouchError(
          "HUB_UNAVAILABLE",
          `${file.path} could not be downloaded to its end: ${cut}; run the command again, which goes on from there.`,
        );
      }
      await pause(access, failures);
    }
  } finally {
    await writer.close();
  }
}

export function addressOf({ endpoint, repository }: HubAccess, file: string, commit: string): URL {
  const parts = file.split("/").map(encodeURIComponent).join("/");
  return new URL(`${endpoint}/${repository.name}/resolve/${commit}/${parts}`);
}

/**
 * Receives bytes over one connection.
 * @returns why it ended early, if it did
 */
async function receive(
  { signal }: HubAccess,
  fetch: HubFetch,
  url: URL,
  writer: BlobWriter,
  { file, onBytes }: Download,
): Promise<string | undefined> {
  const asked = writer.have;
  const answer = await fetch(url, asked > 0 ? { headers: { range: `bytes=${asked}-` } } : {});
  const isRest =
    answer.status === 206 && answer.headers.get("content-range")?.startsWith(`bytes ${asked}-`) === true;
  // A server may ignore the range and send everything; a part that begins elsewhere is useless.
  if (asked > 0 && !isRest) await writer.restart();
  if (answer.status === 206 && !isRest) {
    await answer.body?.cancel();
    return "the host sends another part than was asked for";
  }
  const reader = answer.body?.getReader();
  if (reader === undefined) return "the host sends nothing";
  let stall: NodeJS.Timeout | undefined;
  // The platform's `fetch` may lose sight of its signal once the head of the answer is there.
  const stop = (): void => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop);
  try {
    for (;;) {
      let isStalled = false;
      stall = setTimeout(() => {
        isStalled = true;
        void reader.cancel().catch(() => {});
      }, STALL_MS);
      const piece = await reader.read().catch((error: unknown) => ({ error }));
      clearTimeout(stall);
      if (signal.aborted) throw aborted();
      if (isStalled) return "the host stopped sending";
      if ("error" in piece) return reasonOf(piece.error);
      if (piece.done) return writer.have < file.size ? "the host ended the connection" : undefined;
      // More bytes than listed means damage; there is no need to read to the end.
      if (writer.have + piece.value.byteLength > file.size) {
        await writer.restart();
        return undefined;
      }
      await writer.append(piece.value);
      onBytes(writer.have);
    }
  } finally {
    clearTimeout(stall);
    signal.removeEventListener("abort", stop);
    await reader.cancel().catch(() => {});
  }
}

function orAborted(signal: AbortSignal): (error: unknown) => never {
  return (error) => {
    throw signal.aborted ? aborted() : error;
  };
}
