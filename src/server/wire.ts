/** Jobs as clients see them: the wire's state names, no null fields, every time in whole milliseconds. */
import type { Static } from "typebox";
import type { WebhookDelivery } from "../jobs/contracts.ts";
import type { Job, JobChunk, JobProgress, JobResult, JobStatus } from "../jobs/job.ts";
import { defined, type DeliveryReply, type JobReply, type JobState, type Output } from "./replies.ts";

const STATES: Record<JobStatus, Static<typeof JobState>> = {
  queued: "IN_QUEUE",
  running: "IN_PROGRESS",
  completed: "COMPLETED",
  failed: "FAILED",
  cancelled: "CANCELLED",
  timedOut: "TIMED_OUT",
};

/** Returns the absolute URL of a stored result. */
export type AddressOf = (key: string, job: Job) => string;

export const stateOf = (job: Job): Static<typeof JobState> => STATES[job.status];

/** What a job shows of its edit. */
type WireOutput = Static<typeof Output>;

/** A job in any state, as /status and webhooks show it. */
export function toWireJob(job: Job, addressOf: AddressOf): Static<typeof JobReply> {
  // A job that is queued again shows nothing of its earlier run.
  if (job.status === "queued") {
    return defined({ id: job.id, status: stateOf(job), retries: retriesOf(job) });
  }
  return defined({
    id: job.id,
    status: stateOf(job),
    delayTime: job.delayMs,
    executionTime: job.executionMs,
    workerId: job.workerId,
    retries: retriesOf(job),
    output: outputOf(job, addressOf),
    error: job.error,
  });
}

const retriesOf = ({ retries }: Job): number | undefined => (retries > 0 ? retries : undefined);

/** An object in every state: a string would break clients. */
export function outputOf(job: Job, addressOf: AddressOf): WireOutput | undefined {
  if (job.result) return resultOf(job.result, job, addressOf);
  if (job.status === "running" && job.progress) return progressOf(job.progress);
  return undefined;
}

export function chunkOf(chunk: JobChunk, job: Job, addressOf: AddressOf): { output: WireOutput } {
  return {
    output: chunk.kind === "progress" ? progressOf(chunk.progress) : resultOf(chunk.result, job, addressOf),
  };
}

const progressOf = ({ step, of, preview }: JobProgress): WireOutput =>
  defined({ progress: `${step}/${of}`, preview });

function resultOf(result: JobResult, job: Job, addressOf: AddressOf): WireOutput {
  const { image } = result;
  const imageUrl = imageUrlOf(image, job, addressOf);
  return defined({
    image_url: imageUrl,
    // Some clients read this one first.
    result: imageUrl,
    cost: result.cost,
    seed: result.seed,
    size: sizeOf(result.size),
    working_size: sizeOf(result.workingSize),
    reference_size: result.referenceSize && sizeOf(result.referenceSize),
    num_inference_steps: result.numSteps,
    guidance: result.guidance,
    negative_prompt_used: result.isNegativeUsed,
    true_cfg_scale: result.isNegativeUsed ? result.trueCfgScale : undefined,
    loras: result.loras && result.loras.length > 0 ? [...result.loras] : undefined,
    output_format: result.format,
    model: result.model,
    precision: result.precision,
    safety_score: result.safetyScore,
    changed_share: result.changedShare === undefined ? undefined : rounded(result.changedShare),
    unchanged_mask: result.unchangedMask,
    preserve_shares: result.preserveShares && sharesOf(result.preserveShares),
    mask_url: result.mask && imageUrlOf(result.mask, job, addressOf),
    notices: result.notices.length > 0 ? result.notices : undefined,
  });
}

const rounded = (share: number): number => Number(share.toFixed(4));

const sharesOf = ({ kept, carried, drawn }: NonNullable<JobResult["preserveShares"]>) => ({
  kept: rounded(kept),
  carried: rounded(carried),
  drawn: rounded(drawn),
});

/** @returns undefined for an image that should have been read before, and is gone */
function imageUrlOf(image: JobResult["image"], job: Job, addressOf: AddressOf): string | undefined {
  if (image.kind === "stored") return addressOf(image.key, job);
  if (image.kind === "inline") return image.dataUrl;
  return image.kind === "address" ? image.url : undefined;
}

export const toWireDelivery = (delivery: WebhookDelivery): Static<typeof DeliveryReply> =>
  defined({
    ...delivery,
    createdAt: delivery.createdAt.toISOString(),
    lastAttemptAt: delivery.lastAttemptAt?.toISOString(),
  });

const sizeOf = ({ width, height }: { width: number; height: number }): string => `${width}*${height}`;
