/** An example of every failure: the server's own sentences, in the shape that the route's schema has. */

import type { FailureRecord } from "../../errors.ts";
import { NO_OPERATOR } from "../auth.ts";
import { failureOf as bflFailureOf } from "../bfl/answers.ts";
import { errorOf } from "../openai/errors.ts";
import { failureOf as replicateFailureOf } from "../replicate/answers.ts";

/** Other providers' families: the bodies of their failures, and the status of a refused body. */
const OTHERS = [
  { prefix: "/bfl/", failureOf: bflFailureOf },
  { prefix: "/replicate/", failureOf: replicateFailureOf },
] as const;
const REFUSED_BODY = 422;

/** What an operation's schema of a failure tells. */
interface FailureSchema {
  properties?: { id?: unknown; error?: { type?: string } };
}

const SENTENCES: Readonly<Record<number, string>> = {
  400: "num_inference_steps must be a whole number from 1 to 50, not 80.",
  401: "unauthorized",
  403: NO_OPERATOR,
  404: "job not found",
  408: "The body did not arrive in time.",
  409: "Idempotency-Key was used before on this route with another body; a new request needs a new key.",
  410: "The file has expired.",
  413: "The body is larger than this route allows.",
  415: "image must be a PNG, JPEG, WebP, GIF, AVIF or TIFF image.",
  421: "The Host of the request is not one of this server's names; add it to RETOUCH_ALLOWED_HOSTS.",
  429: "More than 1000 calls in 10 s; try again later.",
  500: "internal error",
  503: "The service is unavailable at the moment; try again later.",
  504: "The edit continues as job sync-6fd3d0f1-3f7c-4d0c-9a56-0d1bfa0c9d1e-u1; GET /v2/ENDPOINT/status/sync-6fd3d0f1-3f7c-4d0c-9a56-0d1bfa0c9d1e-u1 tells when it ends.",
  507: "The disk of this server is nearly full; try again later.",
};

/** Sentences of single routes that differ from those of most. */
const OWN_SENTENCES: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  "/retry/{id}": { 409: "Only failed and timed-out jobs can be retried." },
  "/v1/models/{model}": { 404: "model: there is none but black-forest-labs-flux-1-kontext-dev." },
  "/files/{name}": { 404: "file not found" },
  "/examples/{name}": { 404: "file not found" },
  "/readyz": { 503: "No worker is ready yet." },
};

const SEED_SENTENCE = "seed must be a whole number from -1 to 9007199254740991, not -2.";

/** Which parameter OpenAI's failures are about. */
const FIELDS: Readonly<Record<number, string>> = { 400: "numSteps", 404: "model" };

/**
 * @param route as {@link examplesOf} names it
 * @returns undefined where the schema is not that of a failure, or the status has no sentence
 */
export function failureExample(route: string, status: number, schema: FailureSchema): object | undefined {
  const other = OTHERS.find(({ prefix }) => route.startsWith(prefix));
  if (other !== undefined) {
    const failure: FailureRecord = { code: "INVALID_PARAMETER", kind: "range", values: { field: "seed" } };
    const message = status === REFUSED_BODY ? SEED_SENTENCE : SENTENCES[status];
    return message === undefined ? undefined : other.failureOf({ status, message, failure });
  }
  const sentence = OWN_SENTENCES[route]?.[status] ?? SENTENCES[status];
  const kind = schema.properties?.error?.type;
  if (sentence === undefined || kind === undefined) return undefined;
  if (kind === "object") {
    const values = { field: FIELDS[status] };
    const failure: FailureRecord = { code: "INVALID_PARAMETER", kind: "range", values };
    return errorOf(status, sentence, failure, NAMES);
  }
  if (schema.properties?.id === undefined) return { error: sentence };
  return { id: "6fd3d0f1-3f7c-4d0c-9a56-0d1bfa0c9d1e-u1", status: "FAILED", error: sentence };
}

const NAMES: ReadonlySet<string> = new Set(["num_inference_steps", "model"]);
