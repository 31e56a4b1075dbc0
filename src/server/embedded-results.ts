/** Results without an address: read from the storage whenever their job is shown, as data URLs. */
import { toDataUrl } from "../images/data-url.ts";
import { RetouchError } from "../errors.ts";
import { type Job, type JobChunk, type JobResult, type ResultImage, resultImagesOf } from "../jobs/job.ts";
import type { Log } from "../log.ts";
import type { Storage } from "../storage/storage.ts";
import { refusal } from "./failures.ts";

export interface EmbeddedResults {
  /** The same job with its result as a data URL, if it has one like that. @throws an Error with a sentence, 503 */
  ofJob(job: Job): Promise<Job>;
  /** The same for a piece of the stream of `job`. */
  ofChunk(chunk: JobChunk, job: Job): Promise<JobChunk>;
}

/** For calls: a storage that is away is told in a sentence with the id of the job, which is not lost. */
export function createEmbeddedResults(storage: Pick<Storage, "get">, log: Log): EmbeddedResults {
  async function shown(result: JobResult, { id }: Job): Promise<JobResult> {
    try {
      return await embed(storage, result);
    } catch (error) {
      if (!(error instanceof RetouchError)) throw error;
      log.warn({ err: error, jobId: id }, "A result cannot be read.");
      throw refusal(503, `The result of the job ${id} cannot be read at the moment; ask for it again later.`);
    }
  }
  return {
    ofJob: async (job) => (job.result ? { ...job, result: await shown(job.result, job) } : job),
    ofChunk: async (chunk, job) =>
      chunk.kind === "result" ? { ...chunk, result: await shown(chunk.result, job) } : chunk,
  };
}

/** The job as a webhook shows it. @throws RetouchError STORAGE_UNAVAILABLE */
export async function embedResult(storage: Pick<Storage, "get">, job: Job): Promise<Job> {
  return job.result ? { ...job, result: await embed(storage, job.result) } : job;
}

async function embed(storage: Pick<Storage, "get">, result: JobResult): Promise<JobResult> {
  if (result.image.kind !== "embedded") return result;
  const shown: ResultImage[] = [];
  for (const image of resultImagesOf(result)) shown.push(await read(storage, image));
  const isWhole = shown.every(({ kind }) => kind === "inline");
  return {
    ...result,
    image: shown[0]!,
    images: result.images?.map((one, index) => ({ ...one, image: shown[index]! })),
    // Somebody deleted it by hand; everything else about the job is still true.
    notices: isWhole ? result.notices : [...result.notices, "The result is no longer in the storage."],
  };
}

async function read(storage: Pick<Storage, "get">, image: ResultImage): Promise<ResultImage> {
  if (image.kind !== "embedded") return image;
  const found = await storage.get(image.key);
  return found ? { kind: "inline", dataUrl: toDataUrl(found.contentType, found.bytes) } : image;
}
