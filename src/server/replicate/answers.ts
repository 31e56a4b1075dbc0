/** Jobs and failures as clients of Replicate's API read them. */
import { STATUS_CODES } from "node:http";
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { fieldOf, nameOf } from "../../errors.ts";
import type { Job, JobStatus } from "../../jobs/job.ts";
import { addErrorShape, type ShownFailure } from "../error-shapes.ts";
import { baseOf } from "../other-apis.ts";
import { defined } from "../replies.ts";
import { type AddressOf, outputOf } from "../wire.ts";
import { REPLICATE } from "./edit-request.ts";
import type { PredictionReply, STATUSES } from "./schemas.ts";

export const PREFIX = "/replicate/v1";

const STATUS_OF: Readonly<Record<JobStatus, (typeof STATUSES)[number]>> = {
  queued: "starting",
  running: "processing",
  held: "processing",
  completed: "succeeded",
  failed: "failed",
  timedOut: "failed",
  cancelled: "canceled",
};
/** Of a job that was submitted by another API. */
const MODEL = "black-forest-labs/flux-kontext-dev";
/** Fields of the body itself; all others are the input's. */
const BODY_FIELDS: ReadonlySet<string> = new Set(["input", "version", "webhook", "webhook_events_filter"]);

/** A job in any state. @param job with what is embedded read: `embedded-results.ts` */
export function predictionOf(
  job: Job,
  { addressOf, publicUrl }: { addressOf: AddressOf; publicUrl: string | undefined },
): Static<typeof PredictionReply> {
  const { id, status, submittedAt, startedAt, endedAt, executionMs, error } = job;
  const call = job.call?.api === "replicate" ? job.call : undefined;
  const self = `${baseOf(job, publicUrl)}${PREFIX}/predictions/${id}`;
  const output = status === "completed" ? outputOf(job, addressOf) : undefined;
  const images = output?.images?.flatMap(({ url }) => url ?? []);
  return defined({
    id,
    model: call?.model ?? MODEL,
    version: call?.version ?? MODEL,
    status: STATUS_OF[status],
    input: { ...call?.input },
    output: images ?? output?.image_url,
    error: error ?? (status === "timedOut" ? "The prediction took too long." : undefined),
    logs: logsOf(job),
    created_at: submittedAt.toISOString(),
    started_at: startedAt?.toISOString(),
    completed_at: endedAt?.toISOString(),
    data_removed: false,
    source: "api" as const,
    metrics:
      endedAt && executionMs !== undefined
        ? { predict_time: executionMs / 1000, total_time: (endedAt.getTime() - submittedAt.getTime()) / 1000 }
        : undefined,
    urls: { get: self, cancel: `${self}/cancel` },
  });
}

/** Progress in the form of tqdm, which clients read; at the end, what the caller should know. */
function logsOf({ progress, result }: Job): string {
  if (result) return result.notices.join("\n");
  if (progress === undefined) return "";
  const percent = Math.floor((progress.step / progress.of) * 100);
  const filled = Math.floor(percent / 10);
  return `${percent}%|${"#".repeat(filled)}${" ".repeat(10 - filled)}| ${progress.step}/${progress.of}`;
}

/** The body of a failure: a problem with title and detail, and with the field where something in the body is wrong. */
export function failureOf({ status, message, failure }: ShownFailure): object {
  const problem = (title: string) => ({ title, detail: message, status });
  if (status === 401) return problem("Unauthenticated");
  if (status !== REFUSED) return problem(STATUS_CODES[status] ?? "Error");
  const field = failure && fieldOf(failure);
  if (field === undefined) return problem("Input validation failed");
  const name = nameOf(field, REPLICATE);
  const isMissing = failure?.kind === "missing" || failure?.kind === "misplaced";
  const invalid = {
    type: isMissing ? "required" : "invalid",
    field: BODY_FIELDS.has(name) ? name : `input.${name}`,
    description: message,
  };
  return { ...problem("Input validation failed"), invalid_fields: [invalid] };
}

/** Its servers answer 422 where something in the body is wrong. */
const REFUSED = 422;

export function addReplicateErrors(app: FastifyInstance): void {
  addErrorShape(app, {
    paths: /^\/+replicate(?:\/|\?|$)/,
    surface: REPLICATE,
    refusedStatus: REFUSED,
    shape: failureOf,
  });
}
