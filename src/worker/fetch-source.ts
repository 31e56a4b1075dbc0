/** Downloads an image that a job gives by URL into the storage, inside the engine process. */
import { sha256 } from "../sha256.ts";
import { readHttpUrl } from "../images/http-url.ts";
import { statedSize } from "../images/stated-size.ts";
import type { HttpClient } from "../net/http-client.ts";
import { createKey, type Storage } from "../storage/storage.ts";
import { failure } from "../errors.ts";
import { aborted, ownStorage, throwIfAborted } from "./failures.ts";
import type { FetchedSource } from "../jobs/job.ts";
import type { EngineSetup } from "./protocol.ts";

export interface FetchDependencies {
  storage: Pick<Storage, "put" | "delete">;
  client: HttpClient;
  limits: Pick<EngineSetup, "imageMaxBytes" | "imageTimeoutMs">;
}

/** @throws RetouchError about the request's field; STORAGE_UNAVAILABLE if our storage does not take it; ABORTED by `signal`, then nothing is left stored */
export async function fetchSource(
  { storage, client, limits }: FetchDependencies,
  url: string,
  signal: AbortSignal,
): Promise<FetchedSource> {
  throwIfAborted(signal);
  const { imageMaxBytes: maxBytes, imageTimeoutMs: timeoutMs } = limits;
  const { bytes } = await readHttpUrl(url, { maxBytes, timeoutMs, signal, client });
  const key = createKey("inputs", "bin");
  const unstored = failure("about", {
    field: "image",
    sentence: "the image cannot be stored at the moment.",
  });
  await ownStorage(unstored, () => storage.put(key, bytes));
  if (signal.aborted) {
    // The sweeper finds what cannot be deleted.
    await storage.delete(key).catch(() => {});
    throw aborted(signal);
  }
  return { key, bytes: bytes.byteLength, size: statedSize(bytes), sha256: sha256(bytes) };
}
