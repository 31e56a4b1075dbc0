/**
 * An edit as server-sent events: pictures as it forms, then its results, or a failure. The names of the events are those of
 * OpenAI's reference (https://developers.openai.com/api/reference/resources/images/streaming-events).
 */
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { RetouchError } from "../../errors.ts";
import { readDataUrl } from "../../images/data-url.ts";
import { formatOf } from "../../images/format.ts";
import { statedSize } from "../../images/stated-size.ts";
import { isEnded, type Job } from "../../jobs/job.ts";
import { ANSWER_HEADERS } from "../answer-headers.ts";
import type { RouteContext } from "../routes/context.ts";
import { base64Of, endedAt, endOf, factsOf, formOf, usageOf } from "./answers.ts";
import type { AnswerForm } from "./edit-request.ts";
import type { ErrorOf } from "./errors.ts";

export interface StreamedEdit {
  /** Of the endpoint. */
  id: string;
  context: RouteContext;
  job: Job;
  form: AnswerForm;
  errorOf: ErrorOf;
}

/** Proxies end connections that are silent for a minute; a comment is no event. */
const KEEP_ALIVE_MS = 15_000;
const KEEP_ALIVE = ": the edit goes on\n\n";
const HEADERS = { ...ANSWER_HEADERS, "content-type": "text/event-stream; charset=utf-8" };
/** What the type of events allows; other choices are the model's own. */
const QUALITIES: ReadonlySet<string | undefined> = new Set(["low", "medium", "high", "xhigh", "max"]);

/** A client that goes away ends the stream, not the job. */
export function streamEdit(edit: StreamedEdit, { keyId }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const signal = edit.context.longPolls.signalOf(reply);
  return reply.headers(HEADERS).send(Readable.from(eventsOf(edit, keyId, signal), { objectMode: false }));
}

async function* eventsOf(edit: StreamedEdit, keyId: string, signal: AbortSignal): AsyncGenerator<string> {
  const { context, job, form, errorOf } = edit;
  const quality = QUALITIES.has(form.quality) ? form.quality! : "auto";
  const fail = (status: number, sentence: string, failure?: Parameters<ErrorOf>[2]): string =>
    eventOf({ type: "error", ...errorOf(status, sentence, failure) });
  try {
    for (let [after, place] = [0, 0]; ;) {
      const how = { after, waitMs: KEEP_ALIVE_MS, signal, submitted: job };
      const read = await context.jobs.readChunks(job.id, keyId, how);
      if (read === undefined) return yield fail(404, `The job ${job.id} is no longer kept.`);
      after = read.position;
      for (const chunk of read.chunks) {
        if (chunk.kind !== "progress" || !chunk.progress.isPartial) continue;
        yield eventOf({ ...partialOf(chunk.progress.preview!), quality, partial_image_index: place });
        place += 1;
      }
      if (read.job.status === "completed") return yield* completedEvents(edit, read.job, quality);
      if (isEnded(read.job.status) || signal.aborted) {
        const { status, sentence, failure } = endOf(read.job, edit.id);
        return yield fail(status, sentence, failure);
      }
      if (read.chunks.length === 0) yield KEEP_ALIVE;
    }
  } catch (error) {
    context.log.warn({ err: error, jobId: job.id }, "The stream of an edit broke off.");
    const isPassing = error instanceof RetouchError && error.isRetryable;
    const { sentence } = endOf(job, edit.id);
    yield fail(isPassing ? 503 : 500, `The stream broke off. ${sentence}`);
  }
}

async function* completedEvents(
  { context }: StreamedEdit,
  job: Job,
  quality: string,
): AsyncGenerator<string> {
  const result = job.result!;
  const usage = usageOf(result, 1);
  for (const { image, seed } of result.images ?? [result]) {
    yield eventOf({
      type: "image_edit.completed",
      b64_json: await base64Of(image, context.storage),
      created_at: endedAt(job),
      quality,
      ...formOf(result),
      ...factsOf(job, seed),
      ...(usage && { usage }),
    });
  }
}

/** @param preview as a data URL */
function partialOf(preview: string) {
  const { bytes } = readDataUrl(preview, Infinity);
  const { width, height } = statedSize(bytes)!;
  return {
    type: "image_edit.partial_image",
    b64_json: Buffer.from(bytes).toString("base64"),
    created_at: Math.floor(Date.now() / 1000),
    background: "opaque",
    output_format: formatOf(bytes)!.name.toLowerCase(),
    size: `${width}x${height}`,
  };
}

const eventOf = (event: { type: string; [field: string]: unknown }): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
