/**
 * Failures of /v1/* in the shape that OpenAI's clients read (https://developers.openai.com/api/docs/guides/error-codes),
 * wherever in the server they arise: made from the status, the one sentence that every failure has, and its
 * data.
 */
import type { FastifyInstance } from "fastify";
import { fieldOf, type FailureRecord, nameOf } from "../../errors.ts";
import { WIRE } from "../../engine/edit-parameters.ts";
import { addErrorShape } from "../error-shapes.ts";
import { NOT_SUPPORTED } from "./edit-request.ts";
import type { ImageEditSchema, OpenAiFailure } from "./schemas.ts";

const CODES: Readonly<Record<number, string>> = {
  401: "invalid_api_key",
  429: "rate_limit_exceeded",
  504: "timeout",
};
const MISSING: ReadonlySet<string | undefined> = new Set(["missing", "misplaced"]);
/** Clients retry on their own, even 409 and everything from 500 up, and each retry would be another edit. */
const MAY_RETRY: ReadonlySet<number> = new Set([408, 429, 503]);

/** @param schema whose fields are the parameters that a failure can name */
export function addOpenAiErrors(app: FastifyInstance, schema: ImageEditSchema): void {
  const errorOf = errorsOf(schema);
  addErrorShape(app, {
    paths: /^\/+v1(?:\/|\?|$)/,
    shape({ status, message, failure }, reply) {
      void reply.header("x-should-retry", String(MAY_RETRY.has(status)));
      return errorOf(status, message, failure);
    },
  });
}

export type ErrorOf = (status: number, message: string, failure?: FailureRecord) => OpenAiFailure;

/** How failures are shown where they name fields of this schema. */
export function errorsOf(schema: ImageEditSchema): ErrorOf {
  const fields = [...Object.keys(schema.properties), ...Object.keys(NOT_SUPPORTED)];
  const names = new Set([...fields, "image", "images", "mask", "model"]);
  return (status, message, failure) => errorOf(status, message, failure, names);
}

/** The body of a failure. */
export function errorOf(
  status: number,
  message: string,
  failure: FailureRecord | undefined,
  names: ReadonlySet<string>,
): OpenAiFailure {
  const of = (type: string, param: string | null, code: string | null) => ({
    error: { message, type, param, code },
  });
  if (status >= 500) return of("server_error", null, CODES[status] ?? null);
  if (status === 429) return of("requests", null, CODES[status]!);
  if (failure?.code === "OUTPUT_FLAGGED") {
    return of("image_generation_user_error", null, "moderation_blocked");
  }
  const field = failure && fieldOf(failure);
  const name = field && nameOf(field, WIRE);
  const param = name !== undefined && names.has(name) ? name : null;
  const fault =
    param === null ? null : MISSING.has(failure?.kind) ? "missing_required_parameter" : "invalid_value";
  const code = status === 404 && param === "model" ? "model_not_found" : (CODES[status] ?? fault);
  return of("invalid_request_error", param, code);
}
