/** Results that go into the bucket of the caller: at once, or after an operator has approved them. */
import { failure, RetouchError } from "../errors.ts";
import { Stopwatch } from "../engine/stopwatch.ts";
import type { EditResult } from "../engine/run-edit.ts";
import type { JobEdit, JobResult, JobResultImage, RequestBucket, ResultImage } from "../jobs/job.ts";
import type { Agents } from "../net/agents.ts";
import { sha256 } from "../sha256.ts";
import { aborted } from "./failures.ts";
import { type OwnStorage, readOwn } from "./own-storage.ts";
import type { EditDone } from "./protocol.ts";
import { untilAborted } from "./until-aborted.ts";

/** Where the results of an edit lie. */
export interface StoredResults {
  images: ResultImage[];
  maps: ResultImage[];
}

/** Whether the results of an edit go into a bucket of the caller. */
export const isForBucket = (edit: JobEdit): edit is JobEdit & { bucket: RequestBucket } =>
  edit.bucket !== undefined && !edit.isInlineResult;

/** Stores all results and their maps in the caller's bucket, or none. @throws RetouchError about `s3Config`; ABORTED */
export async function storeInBucket(
  bucket: RequestBucket,
  { images, maps, format }: Pick<EditResult, "images" | "format"> & { maps: readonly Uint8Array[] },
  { agents, signal }: { agents: Agents; signal: AbortSignal },
): Promise<StoredResults> {
  // Loaded by the first job that needs it: the S3 client takes a fifth of a second.
  const { putAllInBucket } = await import("../storage/request-bucket.ts");
  const urls = await untilAborted(putAllInBucket(bucket, images, format, { agents, signal, maps }), signal);
  if (urls === undefined) throw aborted(signal);
  const places = urls.map((url, index): ResultImage => {
    const image = images[index];
    // A map follows the images; nobody edits it further.
    return { kind: "address", url, sha256: image && sha256(image) };
  });
  return { images: places.slice(0, images.length), maps: places.slice(images.length) };
}

/**
 * Takes a result that was held, and is approved now, to the bucket of its caller; nothing is drawn again.
 * @throws RetouchError IMAGE_UNREADABLE if it is gone; as {@link storeInBucket}
 */
export async function deliverApproved(
  { storage, agents }: { storage: OwnStorage; agents: Agents },
  bucket: RequestBucket,
  approved: JobResult,
  signal: AbortSignal,
): Promise<EditDone> {
  const started = performance.now();
  const read = async (image: ResultImage): Promise<Uint8Array> => {
    const bytes = "key" in image ? await readOwn(storage, image.key, { field: "image", signal }) : undefined;
    if (signal.aborted) throw aborted(signal);
    if (bytes !== undefined) return bytes;
    throw new RetouchError(
      "IMAGE_UNREADABLE",
      failure("sentence", { sentence: "The approved result is no longer in the storage." }),
    );
  };
  const all: readonly JobResultImage[] = approved.images ?? [approved];
  const images: Uint8Array[] = [];
  const maps: Uint8Array[] = [];
  for (const { image, mask } of all) {
    images.push(await read(image));
    if (mask) maps.push(await read(mask));
  }
  const stored = await storeInBucket(bucket, { images, maps, format: approved.format }, { agents, signal });
  const placed: JobResultImage[] = [];
  for (const [index, one] of all.entries()) {
    placed.push({ ...one, image: stored.images[index]!, mask: stored.maps[index] });
  }
  const [{ image, mask }] = placed as [JobResultImage];
  const totalMs = performance.now() - started;
  return {
    result: { ...approved, image, mask, images: approved.images && placed },
    // Of no step, which says nothing of this worker's speed.
    timing: {
      totalMs,
      denoiseMs: 0,
      partsMs: { load: 0, ...new Stopwatch().seconds, store: totalMs },
      images: [],
      numSteps: 0,
    },
  };
}
