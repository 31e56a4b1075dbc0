/** What a call over the socket may carry besides an id: other programs of the same user may write to it, too. */
import { RetouchError } from "../errors.ts";
import type { Decision } from "../jobs/reviews.ts";
import { MAX_REASON, VERDICTS } from "../jobs/reviews.ts";
import type { KeyTerms } from "./contracts.ts";

export interface Page {
  jobId?: string | undefined;
  offset: number;
  limit: number;
}

const MAX_TEXT = 300;
const MAX_OFFSET = 1_000_000;
/** What one call lists at most. */
const MAX_LIMIT = 1000;

export const malformed = (): RetouchError =>
  new RetouchError("INVALID_PARAMETER", "The request is malformed.");

/** No database stores U+0000. */
const isText = (value: unknown, max = MAX_TEXT): value is string =>
  typeof value === "string" && value.length <= max && !value.includes("\0");

const isCount = (value: unknown, [min, max]: readonly [number, number]): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;

/** @throws RetouchError INVALID_PARAMETER */
export function pageOf({ jobId, offset, limit }: Partial<Record<keyof Page, unknown>>): Page {
  const isKnown = jobId === undefined || isText(jobId);
  if (!isKnown || !isCount(offset, [0, MAX_OFFSET]) || !isCount(limit, [1, MAX_LIMIT])) throw malformed();
  return { jobId, offset, limit };
}

/** @throws RetouchError INVALID_PARAMETER */
export function termsOf({ isOperator, safetyThreshold }: Partial<Record<keyof KeyTerms, unknown>>): KeyTerms {
  const isRole = isOperator === undefined || typeof isOperator === "boolean";
  const isScore =
    safetyThreshold === undefined || safetyThreshold === null || typeof safetyThreshold === "number";
  if (!isRole || !isScore) throw malformed();
  return { isOperator, safetyThreshold };
}

/** @throws RetouchError INVALID_PARAMETER */
export function decisionOf({
  verdict: given,
  actor,
  reason,
}: Partial<Record<keyof Decision, unknown>>): Decision {
  const verdict = VERDICTS.find((one) => one === given);
  const { name } = (actor ?? {}) as { name?: unknown };
  const isReason = reason === undefined || isText(reason, MAX_REASON);
  if (verdict === undefined || !isText(name) || !isReason) throw malformed();
  return { verdict, actor: { name }, reason };
}
