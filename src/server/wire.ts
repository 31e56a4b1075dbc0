/** Jobs as clients see them: the wire's state names, no null fields, every time in whole milliseconds. */
import type { Static } from "typebox";
import { offerOf } from "../engine/instructions.ts";
import type { WebhookDelivery } from "../jobs/contracts.ts";
import {
  costOfOne,
  type Job,
  type JobChunk,
  type JobLineage,
  type JobProgress,
  type JobResult,
  type JobResultImage,
  type JobStatus,
} from "../jobs/job.ts";
import {
  defined,
  type DeliveryReply,
  type JobReply,
  type JobState,
  type Output,
  type OutputImage,
} from "./replies.ts";
import type { ModelTraits } from "./schemas.ts";

/** The model of an endpoint, as its document shows it; a `type` and no interface, since a document holds any JSON. */
export type WireModel = {
  title?: string;
  summary?: string;
  native_side?: number;
  takes_mask: boolean;
  photographs?: string;
  suggestions?: { instruction: string; suits_any: boolean }[];
};

export const toWireModel = ({
  name,
  card,
  takesMask = false,
}: Pick<ModelTraits, "name" | "card" | "takesMask">): WireModel =>
  defined({
    title: card?.title ?? name,
    summary: card?.summary,
    native_side: card?.nativeSide,
    takes_mask: takesMask,
    photographs: card?.photographs,
    suggestions: card?.suggestions.map(({ instruction, suitsAny = false }) => ({
      instruction,
      suits_any: suitsAny,
    })),
  });

export const WIRE_STATES: Record<JobStatus, Static<typeof JobState>> = {
  queued: "IN_QUEUE",
  running: "IN_PROGRESS",
  // A client waits on, as for a long edit.
  held: "IN_PROGRESS",
  completed: "COMPLETED",
  failed: "FAILED",
  cancelled: "CANCELLED",
  timedOut: "TIMED_OUT",
};

/** Returns the absolute URL of a stored result. */
export type AddressOf = (key: string, job: Job) => string;

export const stateOf = (job: Pick<Job, "status">): Static<typeof JobState> => WIRE_STATES[job.status];

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
  if ((job.status === "running" || job.status === "held") && job.progress) return progressOf(job.progress);
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
    images: result.images?.map((one) =>
      imageOf(one, result, {
        url: imageUrlOf(one.image, job, addressOf),
        map: one.mask && imageUrlOf(one.mask, job, addressOf),
      }),
    ),
    cost: result.cost,
    seed: result.seed,
    size: sizeOf(result.size),
    working_size: sizeOf(result.workingSize),
    reference_size: result.referenceSize && sizeOf(result.referenceSize),
    num_inference_steps: result.numSteps,
    guidance: result.guidance,
    acceleration: result.acceleration && accelerationOf(result.acceleration),
    negative_prompt_used: result.isNegativeUsed,
    true_cfg_scale: result.isNegativeUsed ? result.trueCfgScale : undefined,
    loras: result.loras && result.loras.length > 0 ? [...result.loras] : undefined,
    output_format: result.format,
    background: result.hasTransparency ? ("transparent" as const) : undefined,
    model: result.model,
    precision: result.precision,
    safety_score: result.safetyScore,
    changed_share: shareOf(result.changedShare),
    unchanged_mask: result.unchangedMask,
    preserve_shares: result.preserveShares && sharesOf(result.preserveShares),
    mask_url: result.mask && imageUrlOf(result.mask, job, addressOf),
    ...(result.lineage && lineageOf(result.lineage)),
    notices: noticesOf(result),
  });
}

function lineageOf({ parent, parentImage, turn, isFromOriginal, hasOriginal }: JobLineage) {
  return {
    parent,
    parent_image: parentImage,
    turn,
    from_original: isFromOriginal ? (true as const) : undefined,
    has_original: hasOriginal ? (true as const) : undefined,
  };
}

function noticesOf({ notices, lineage }: JobResult): string[] | undefined {
  const all = lineage?.hasOriginal ? [...notices, offerOf(lineage.turn, "from_original")] : notices;
  return all.length > 0 ? all : undefined;
}

/** One of several results, with what only it has. */
function imageOf(
  { seed, safetyScore, changedShare, unchangedMask, preserveShares }: JobResultImage,
  result: JobResult,
  urls: { url: string | undefined; map: string | undefined },
): Static<typeof OutputImage> {
  return defined({
    url: urls.url,
    seed,
    size: sizeOf(result.size),
    cost: costOfOne(result),
    safety_score: safetyScore,
    changed_share: shareOf(changedShare),
    unchanged_mask: unchangedMask,
    preserve_shares: preserveShares && sharesOf(preserveShares),
    mask_url: urls.map,
  });
}

const accelerationOf = ({
  computedSteps,
  reusedSteps,
  estimatedPsnr,
}: NonNullable<JobResult["acceleration"]>) =>
  defined({
    computed_steps: computedSteps,
    reused_steps: reusedSteps,
    estimated_psnr: estimatedPsnr,
  });

const shareOf = (share: number | undefined): number | undefined =>
  share === undefined ? undefined : rounded(share);

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
