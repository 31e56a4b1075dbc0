/**
 * Requests to the hub: temporary failures are retried, others become a sentence, and the token is sent only to the
 * hub, wherever a redirect leads.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { RetouchError } from "../errors.ts";
import { connectionFailure } from "../net/failures.ts";
import { locationText, REDIRECTS } from "../net/location.ts";
import { version } from "../version.ts";
import type { Repository } from "./repository.ts";

export interface HubAccess {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly repository: Repository;
  readonly signal: AbortSignal;
  /** The function that sends requests. @default the platform's `fetch` */
  readonly send?: HubFetch | undefined;
  /** The first pause before a retry; each further pause is twice as long. @default 1000 */
  readonly firstPauseMs?: number | undefined;
}

/** What the hub client uses instead of the platform's `fetch`. */
export type HubFetch = typeof fetch;

export const MAX_FAILURES = 5;
const MAX_REDIRECTS = 5;
const MAX_PAUSE_MS = 30_000;
/** Nobody waits longer than this on a command line. */
const MAX_RETRY_AFTER_MS = 5 * 60_000;
const ANSWER_TIMEOUT_MS = 60_000;
const IS_TEMPORARY = new Set([408, 429, 500, 502, 503, 504]);

/** @throws (when called) RetouchError HUB_REFUSED, HUB_UNAVAILABLE or ABORTED */
export function createHubFetch(access: HubAccess): HubFetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    for (let failures = 1; ; failures += 1) {
      const outcome = await answerOf(access, url, init?.headers).catch((error: unknown) => {
        if (access.signal.aborted) throw aborted();
        if (error instanceof RetouchError) throw error;
        return error;
      });
      const isAnswer = outcome instanceof Response;
      if (isAnswer && outcome.ok) return outcome;
      if (isAnswer && !IS_TEMPORARY.has(outcome.status)) throw await refusal(access, outcome);
      const asked = isAnswer ? retryAfterMs(outcome) : undefined;
      if (isAnswer) await outcome.body?.cancel();
      if (failures >= MAX_FAILURES || (asked ?? 0) > MAX_RETRY_AFTER_MS) {
        throw new RetouchError("HUB_UNAVAILABLE", unavailable(access, outcome, asked), { cause: outcome });
      }
      await pause(access, failures, asked);
    }
  };
}

/** Waits as long as the other side asks, or twice as long as last time. @throws RetouchError ABORTED */
export async function pause(
  { signal, firstPauseMs = 1000 }: HubAccess,
  failures: number,
  askedMs?: number,
): Promise<void> {
  const own = Math.min(firstPauseMs * 2 ** (failures - 1), MAX_PAUSE_MS) * (0.75 + Math.random() / 2);
  await sleep(askedMs ?? own, undefined, { signal }).catch(() => {
    throw aborted();
  });
}

export function aborted(): RetouchError {
  return new RetouchError("ABORTED", "The download was interrupted.");
}

/** Follows redirects itself: the platform would follow them without the checks here. */
async function answerOf(
  { endpoint, token, signal, send = fetch }: HubAccess,
  start: URL,
  given: RequestInit["headers"],
): Promise<Response> {
  const home = new URL(endpoint).origin;
  let url = start;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const headers = new Headers(given);
    headers.delete("authorization");
    headers.set("user-agent", `Retouch/${version}`);
    headers.set("accept-encoding", "identity");
    if (token !== undefined && url.origin === home) headers.set("authorization", `Bearer ${token}`);
    const answer = await answerInTime(send, url, headers, signal);
    const header = answer.headers.get("location");
    if (!REDIRECTS.has(answer.status) || header === null) return answer;
    await answer.body?.cancel();
    const location = locationText(header);
    const next = location !== "" && URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    const isDowngrade = url.protocol === "https:" && next?.protocol !== "https:";
    if (next === undefined || !/^https?:$/.test(next.protocol) || isDowngrade) {
      throw new RetouchError("HUB_UNAVAILABLE", `${endpoint} redirects to an address that is not followed.`);
    }
    url = next;
  }
  throw new RetouchError("HUB_UNAVAILABLE", `${endpoint} redirects more than ${MAX_REDIRECTS} times.`);
}

/** The time limit covers only the response's headers: a body may take hours. */
async function answerInTime(
  send: HubFetch,
  url: URL,
  headers: Headers,
  signal: AbortSignal,
): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })),
    ANSWER_TIMEOUT_MS,
  );
  try {
    return await send(url, { headers, redirect: "manual", signal: AbortSignal.any([signal, late.signal]) });
  } finally {
    clearTimeout(timer);
  }
}

function retryAfterMs(answer: Response): number | undefined {
  const text = answer.headers.get("retry-after")?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(date - Date.now(), 0);
}

function unavailable({ endpoint }: HubAccess, outcome: unknown, askedMs: number | undefined): string {
  if (!(outcome instanceof Response)) return `${endpoint} cannot be used: ${reasonOf(outcome)}.`;
  const when = askedMs === undefined ? "later" : `in ${Math.ceil(askedMs / 60_000)} min`;
  return outcome.status === 429
    ? `${endpoint} answers that there are too many requests; run the command again ${when}.`
    : `${endpoint} answers with status ${outcome.status}; run the command again ${when}.`;
}

/** Why a connection failed; the platform's `fetch` puts the details into the cause. */
export function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return connectionFailure(cause ?? error ?? {});
}

/** What keeps this user from the repository, and what to do about it. */
async function refusal(
  { endpoint, token, repository: { name, revision } }: HubAccess,
  answer: Response,
): Promise<RetouchError> {
  await answer.body?.cancel();
  const page = `${endpoint}/${name}`;
  const code = answer.headers.get("x-error-code");
  const isGated = code === "GatedRepo" || (answer.status === 403 && code === null);
  let sentence = `${endpoint} answers with status ${answer.status} for ${name}.`;
  if (isGated && token === undefined) {
    sentence = `${name} is gated: accept its licence at ${page}, logged in, and give a token of that account in HF_TOKEN.`;
  } else if (isGated) {
    sentence = `${name} is gated: accept its licence at ${page} with the account of your token, which must be allowed to read gated repositories.`;
  } else if (code === "RevisionNotFound") {
    sentence = `${name} has no revision ${JSON.stringify(revision)}; ${page} shows which there are.`;
  } else if (answer.status === 404) {
    sentence = `There is no ${name} to be seen at ${page}.`;
  } else if (answer.status === 401 && token === undefined) {
    sentence = `${name} does not exist or asks for a token: see ${page}, and give one in HF_TOKEN.`;
  } else if (answer.status === 401) {
    sentence = `${name} does not exist, or your token does not count: see ${page} and ${endpoint}/settings/tokens.`;
  }
  return new RetouchError("HUB_REFUSED", sentence);
}
