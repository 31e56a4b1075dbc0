/** What a webhook posts: the job as the API shows it by which it was submitted. */
import type { Job } from "../jobs/job.ts";
import { taskOf } from "./bfl/answers.ts";
import { predictionOf } from "./replicate/answers.ts";
import { type AddressOf, toWireJob } from "./wire.ts";

/** @param job with what is embedded read: `embedded-results.ts` */
export function webhookBody(
  job: Job,
  { addressOf, publicUrl }: { addressOf: AddressOf; publicUrl: string | undefined },
): object {
  if (job.call?.api === "bfl") return taskOf(job, addressOf);
  if (job.call?.api === "replicate") return predictionOf(job, { addressOf, publicUrl });
  return toWireJob(job, addressOf);
}
