/** The end of a round as its clients see it: everything is asked for until it has ended, and every result is fetched. */
import { setTimeout as delay } from "node:timers/promises";
import type { Caller } from "./calls.ts";
import { type AcknowledgedJob, addProblem, isEnd, type Ledger, seeState } from "./ledger.ts";
import { noteSubmission, sendSubmission } from "./load.ts";

export interface SettleOptions {
  caller: Caller;
  ledger: Ledger;
  keys: readonly string[];
  chooseServer: () => Promise<string>;
  /** How long all of it may take. */
  patienceMs: number;
  signal: AbortSignal;
}

const POLL_MS = 200;
const AT_ONCE = 8;
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
const JPEG = Buffer.from([0xff, 0xd8, 0xff]);

export async function settle(options: SettleOptions): Promise<void> {
  const { caller, ledger, keys, chooseServer, patienceMs, signal } = options;
  const until = performance.now() + patienceMs;
  const isTimeLeft = (): boolean => performance.now() < until && !signal.aborted;

  // A client with an Idempotency-Key repeats until it is answered.
  while (ledger.unanswered.size > 0 && isTimeLeft()) {
    for (const submission of ledger.unanswered) {
      noteSubmission(ledger, submission, await sendSubmission(options, submission));
    }
    if (ledger.unanswered.size > 0) await delay(POLL_MS);
  }
  for (const { route } of ledger.unanswered) addProblem(ledger, "a submission that is never answered", route);

  const isIdle = async (): Promise<boolean> => {
    const health = await caller.call(await chooseServer(), "/health", { key: keys[0]! });
    const { inQueue, inProgress } = health?.body.jobs ?? {};
    if (inQueue !== 0 || inProgress !== 0) return false;
    for (const key of keys) {
      const deliveries = await caller.call(await chooseServer(), "/webhook-deliveries?limit=100", { key });
      const list = deliveries?.status === 200 ? deliveries.body.deliveries : undefined;
      if (list === undefined || list.some(({ status }) => status === "pending")) return false;
    }
    return true;
  };
  let isDone = false;
  while (!isDone && isTimeLeft()) {
    isDone = await isIdle();
    if (!isDone) await delay(POLL_MS);
  }
  if (!isDone) addProblem(ledger, "work that does not end", `after ${patienceMs / 1000} s`);

  const jobs = [...ledger.jobs.values()];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async (_, at) => {
      for (let next = at; next < jobs.length; next += AT_ONCE) await settleJob(options, jobs[next]!);
    }),
  );
  for (const { submission, id } of ledger.idempotent.values()) {
    const answer = await sendSubmission(options, submission);
    if (answer?.status !== 200 || answer.body.id !== id) {
      addProblem(ledger, "an Idempotency-Key that is forgotten", `${id}: ${JSON.stringify(answer)}`);
    }
  }
}

async function settleJob(
  { caller, ledger, chooseServer }: SettleOptions,
  job: AcknowledgedJob,
): Promise<void> {
  const { id, key, wanted } = job;
  const answer = await caller.call(await chooseServer(), `/status/${id}`, { key });
  if (answer?.status !== 200) {
    addProblem(ledger, "an acknowledged job is unknown", `${id}: ${JSON.stringify(answer)}`);
    return;
  }
  const { status, error, output, delayTime = 0, executionTime = 0 } = answer.body;
  if (delayTime < 0 || executionTime < 0) {
    addProblem(ledger, "a negative time", `${id}: ${delayTime} ms and ${executionTime} ms`);
  }
  seeState(ledger, job, answer.body);
  if (!isEnd(status)) {
    addProblem(ledger, "a job that does not end", `${id}: ${status}`);
  } else if (status !== "CANCELLED" && job.isCancelled) {
    addProblem(ledger, "a cancelled job that ends otherwise", `${id}: ${status}`);
  } else if (status !== wanted && !(status === "CANCELLED" && job.maybeCancelled)) {
    addProblem(ledger, `a job that ends as ${status}`, `${id}: ${error}`);
  }
  if (status !== "COMPLETED") return;
  const images = output?.images?.map(({ url }) => url) ?? [output?.image_url];
  for (const [index, image] of images.entries()) {
    const bytes = image === undefined ? undefined : await bytesOf(image);
    if (bytes === undefined || !isImage(bytes)) {
      addProblem(ledger, "a result that is not there", `${id}: ${image?.slice(0, 200)}`);
    } else if (index === 0) job.bytes = bytes.length;
  }
}

async function bytesOf(image: string): Promise<Buffer | undefined> {
  try {
    // Of data URLs, too.
    const response = await fetch(image, { signal: AbortSignal.timeout(20_000) });
    return response.ok ? Buffer.from(await response.arrayBuffer()) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether both ends are there. */
function isImage(bytes: Buffer): boolean {
  if (bytes.subarray(0, PNG.length).equals(PNG)) return bytes.subarray(-8, -4).toString("latin1") === "IEND";
  return bytes.subarray(0, JPEG.length).equals(JPEG) && bytes.readUInt16BE(bytes.length - 2) === 0xffd9;
}
