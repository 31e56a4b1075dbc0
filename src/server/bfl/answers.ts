/** Jobs and failures as clients of black-forest-labs' API read them. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { fieldOf, nameOf } from "../../errors.ts";
import type { Job } from "../../jobs/job.ts";
import { addErrorShape, type ShownFailure } from "../error-shapes.ts";
import { defined } from "../replies.ts";
import { type AddressOf, outputOf } from "../wire.ts";
import { BFL } from "./edit-request.ts";
import type { TaskReply } from "./schemas.ts";

export const PREFIX = "/bfl/v1";

/** A job in any state. @param job with what is embedded read: `embedded-results.ts` */
export function taskOf(job: Job, addressOf: AddressOf): Static<typeof TaskReply> {
  const { id, status, error, failure, progress, result, startedAt, endedAt, executionMs, call } = job;
  if (status === "queued") return { id, status: "Pending", progress: 0 };
  if (status === "running" || status === "held") {
    return { id, status: "Pending", progress: progress ? progress.step / progress.of : 0 };
  }
  const sample = outputOf(job, addressOf)?.image_url;
  if (result === undefined || sample === undefined) {
    const isModerated = failure?.code === "OUTPUT_FLAGGED";
    const sentence = error ?? (status === "cancelled" ? "The task was cancelled." : "The result is gone.");
    return { id, status: isModerated ? "Content Moderated" : "Error", details: { error: sentence } };
  }
  return defined({
    id,
    status: "Ready" as const,
    progress: 1,
    result: defined({
      sample,
      prompt: call?.api === "bfl" ? call.prompt : undefined,
      seed: result.seed,
      start_time: secondsOf(startedAt),
      end_time: secondsOf(endedAt),
      duration: executionMs === undefined ? undefined : executionMs / 1000,
    }),
    details: result.notices.length > 0 ? { notices: result.notices } : undefined,
  });
}

const secondsOf = (time: Date | undefined): number | undefined => time && time.getTime() / 1000;

/** The body of a failure: a list that names the field where something in the body is wrong, and a sentence otherwise. */
export function failureOf({ status, message, failure }: ShownFailure): object {
  if (status !== REFUSED) return { detail: message };
  const field = failure && fieldOf(failure);
  const loc = ["body", ...(field === undefined ? [] : [nameOf(field, BFL)])];
  const isMissing = failure?.kind === "missing" || failure?.kind === "misplaced";
  return { detail: [{ loc, msg: message, type: isMissing ? "missing" : "value_error" }] };
}

/** Its servers answer 422 where something in the body is wrong. */
const REFUSED = 422;

export function addBflErrors(app: FastifyInstance): void {
  addErrorShape(app, {
    paths: /^\/+bfl(?:\/|\?|$)/,
    surface: BFL,
    refusedStatus: REFUSED,
    shape: failureOf,
  });
}
