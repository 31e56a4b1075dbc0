/** Clients that submit, ask, wait, cancel, retry and repeat, as many at a time as the service can hold. */
import { setTimeout as delay } from "node:timers/promises";
import type { Answer, Caller } from "./calls.ts";
import {
  acknowledge,
  type AcknowledgedJob,
  addProblem,
  isEnd,
  type Ledger,
  type Route,
  seeState,
  type Submission,
} from "./ledger.ts";
import type { Random } from "./random.ts";
import type { ReceiverKind, Receivers } from "./receivers.ts";

export interface LoadOptions {
  caller: Caller;
  ledger: Ledger;
  random: Random;
  keys: readonly string[];
  /** Where to call now. */
  chooseServer: () => Promise<string>;
  receivers: Receivers;
  /** Of webhooks. */
  receiverKinds: readonly ReceiverKind[];
  /** Source images as data URLs. */
  images: readonly string[];
  hasRealEngine: boolean;
  /** Submissions stop at so many. */
  maxJobs: number;
  /** Clients at the same time. */
  clients: number;
}

const MAX_OPEN = 16;
const PAUSE_MS = [20, 150] as const;

/** Runs until `signal` aborts, and then until the calls under way have ended. */
export async function runLoad(options: LoadOptions, signal: AbortSignal): Promise<void> {
  await Promise.all(Array.from({ length: options.clients }, () => runClient(options, signal)));
}

async function runClient(options: LoadOptions, signal: AbortSignal): Promise<void> {
  const { random, ledger } = options;
  while (!signal.aborted) {
    const open = [...ledger.jobs.values()].filter((job) => job.end === undefined);
    const known = ledger.jobs.size + ledger.unanswered.size;
    const draw = random.next();
    const job = ledger.jobs.size > 0 ? random.pick([...ledger.jobs.values()]) : undefined;
    if (known < options.maxJobs && open.length < MAX_OPEN && draw < 0.55)
      await submit(options, drawSubmission(options));
    else if (ledger.unanswered.size > 0 && draw < 0.65)
      await submit(options, random.pick([...ledger.unanswered]));
    else if (job && draw < 0.7) await cancelSome(options, open);
    else if (job && draw < 0.75 && job.end?.status === "FAILED") await retry(options, job);
    else if (job && draw < 0.85) await look(options, open.length > 0 ? random.pick(open) : job, "stream");
    else if (job) await look(options, open.length > 0 ? random.pick(open) : job, "status");
    await delay(random.between(...PAUSE_MS), undefined, { signal }).catch(() => {});
  }
}

function drawSubmission({
  random,
  keys,
  receivers,
  receiverKinds,
  images,
  hasRealEngine,
}: LoadOptions): Submission {
  const route: Route = random.chance(0.8) ? "run" : "runsync";
  const isFailing = !hasRealEngine && random.chance(0.08);
  const isInline = random.chance(0.25);
  const webhook = random.chance(0.5) ? random.pick(receiverKinds) : undefined;
  const ms = random.pick([0, 10, 50, 100, 300]);
  const input = {
    prompt: hasRealEngine ? "Make it night" : isFailing ? "fail It cannot be edited." : `noise ${ms}`,
    image: random.chance(0.2) ? receivers.picture : random.pick(images),
    size: !hasRealEngine && random.chance(0.2) ? "512*512" : "256*256",
    num_inference_steps: hasRealEngine ? random.integer(1, 4) : random.integer(1, 8),
    output_format: random.pick(["png", "jpeg"]),
    num_images: random.chance(0.3) ? random.integer(2, 4) : 1,
    enable_base64_output: isInline,
    // What differs makes every body another one.
    seed: random.integer(0, 2 ** 31),
  };
  return {
    key: random.pick(keys),
    route,
    body: JSON.stringify({ input, ...(webhook && { webhook: receivers.addressOf(webhook) }) }),
    idempotencyKey: random.chance(0.5) ? `once-${random.integer(0, 2 ** 31)}-${input.seed}` : undefined,
    webhook,
    isInline,
    wanted: isFailing ? "FAILED" : "COMPLETED",
  };
}

/** Sends it, sometimes twice at the same time. */
async function submit(options: LoadOptions, submission: Submission): Promise<void> {
  const { ledger, random } = options;
  const { idempotencyKey, key } = submission;
  const times = idempotencyKey !== undefined && random.chance(0.3) ? 2 : 1;
  const answers = await Promise.all(Array.from({ length: times }, () => sendSubmission(options, submission)));
  for (const answer of answers) noteSubmission(ledger, submission, answer);
  const isAnswered = answers.some((answer) => answer !== undefined && answer.status < 500);
  if (isAnswered) return;
  if (idempotencyKey !== undefined) ledger.unanswered.add(submission);
  else ledger.undecided.set(key, (ledger.undecided.get(key) ?? 0) + 1);
}

/** @returns the answer, undefined where there was none */
export async function sendSubmission(
  { caller, chooseServer }: Pick<LoadOptions, "caller" | "chooseServer">,
  { key, route, body, idempotencyKey }: Submission,
): Promise<Answer | undefined> {
  const query = route === "runsync" ? "?wait=2000" : "";
  return caller.call(await chooseServer(), `/${route}${query}`, { key, body, idempotencyKey });
}

export function noteSubmission(ledger: Ledger, submission: Submission, answer: Answer | undefined): void {
  if (answer === undefined || answer.status >= 500 || answer.status === 429) return;
  const { status, body } = answer;
  if (status !== 200 || body.id === undefined) {
    addProblem(ledger, "a submission refused", `${status}: ${JSON.stringify(body)}`);
    return;
  }
  const job = acknowledge(ledger, submission, body.id);
  if (isEnd(body.status)) seeState(ledger, job, body);
}

async function look(
  { caller, chooseServer, ledger }: LoadOptions,
  job: AcknowledgedJob,
  how: "status" | "stream",
): Promise<void> {
  // Between the question and its answer the job may be retried by another client.
  const { retries, maybeRetries } = job;
  const route = how === "stream" ? `/stream/${job.id}?wait=1000` : `/status/${job.id}`;
  const answer = await caller.call(await chooseServer(), route, { key: job.key });
  if (answer === undefined || retries !== job.retries || maybeRetries !== job.maybeRetries) return;
  if (answer.status === 404) addProblem(ledger, "an acknowledged job is unknown", job.id);
  // What a stream says may be older than its last piece.
  else if (answer.status === 200 && how === "status") seeState(ledger, job, answer.body);
}

async function cancelSome(
  { caller, chooseServer, random }: LoadOptions,
  open: readonly AcknowledgedJob[],
): Promise<void> {
  if (open.length === 0) return;
  const job = random.pick(open);
  job.maybeCancelled = true;
  const answer = await caller.call(await chooseServer(), `/cancel/${job.id}`, {
    method: "POST",
    key: job.key,
  });
  if (answer?.body.status === "CANCELLED") job.isCancelled = true;
}

async function retry({ caller, chooseServer, ledger }: LoadOptions, job: AcknowledgedJob): Promise<void> {
  job.maybeRetries += 1;
  const answer = await caller.call(await chooseServer(), `/retry/${job.id}`, {
    method: "POST",
    key: job.key,
  });
  // It has not failed any more, or there were too many calls.
  if (answer?.status === 409 || answer?.status === 429) job.maybeRetries -= 1;
  if (answer?.status === 404) addProblem(ledger, "an acknowledged job is unknown", job.id);
  if (answer?.status !== 200) return;
  job.retries += 1;
  job.maybeRetries -= 1;
  job.end = undefined;
}
