/** A job's failure from an error that its sender may read. */
import { WIRE } from "../engine/edit-parameters.ts";
import { recordOf, type RetouchError, wordError } from "../errors.ts";
import type { JobFailure } from "./job.ts";

export const jobFailureOf = (error: RetouchError): JobFailure => ({
  error: wordError(error, WIRE),
  failure: recordOf(error),
});
