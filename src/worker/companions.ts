/** Which jobs a worker runs together with one that it has taken (dynamic batching). */
import type { EditSpeed } from "../engine/estimate.ts";
import type { LikeOptions, WorkQueue } from "../jobs/contracts.ts";
import { estimateJobMs } from "../jobs/estimate.ts";
import type { ClaimedJob } from "../jobs/job.ts";
import { likenessOf } from "../jobs/likeness.ts";
import { LIMIT_FACTOR } from "./speed.ts";
import { untilAborted } from "./until-aborted.ts";

/** How long a job that waits for nobody may be kept, milliseconds: as long as it takes to see that there is no other. */
const MOST_LOOK_MS = 20;
/** How long taking another job may take before the first one runs without it, milliseconds. */
const MOST_CLAIM_MS = 250;
/** Kinds of edits that are remembered: the latest. */
const MAX_KINDS = 200;

export interface Companions {
  /**
   * Takes the jobs behind this one that are like it, as many as are worth running together.
   * @param speed of the engine; without it, nobody knows whether a job has time enough
   */
  takeFor(job: ClaimedJob, speed: EditSpeed | undefined): Promise<ClaimedJob[]>;
  /** Remembers how many edits like this one are worth running together. */
  learn(job: ClaimedJob, worthTogether: number | undefined): void;
}

export function createCompanions(
  queue: Pick<WorkQueue, "isLikeNext" | "claimLike" | "handBack">,
  workerId: string,
): Companions {
  const worth = new Map<string, number>();
  const kindOf = ({ endpoint, edit }: ClaimedJob): string | undefined => {
    const likeness = likenessOf(edit);
    return likeness && `${endpoint} ${likeness}`;
  };

  async function isWaiting(job: ClaimedJob, options: LikeOptions): Promise<boolean> {
    const looking = queue.isLikeNext(job, options).catch(() => false);
    return (await untilAborted(looking, AbortSignal.timeout(MOST_LOOK_MS))) ?? false;
  }

  /** What comes too late is given back, to the place that it had. */
  async function claim(job: ClaimedJob, options: LikeOptions): Promise<ClaimedJob | undefined> {
    const claiming = queue.claimLike(job, options).catch(() => undefined);
    const companion = await untilAborted(claiming, AbortSignal.timeout(MOST_CLAIM_MS));
    if (companion === undefined) {
      void claiming.then((late) => late && queue.handBack(late, workerId).catch(() => {}));
    }
    return companion;
  }

  return {
    async takeFor(job, speed) {
      const kind = kindOf(job);
      const most = (kind !== undefined && worth.get(kind)) || 1;
      const companions: ClaimedJob[] = [];
      if (speed === undefined) return companions;
      // A limit that somebody set must be long enough for all of them.
      const options = { workerId, leastLimitMs: LIMIT_FACTOR * most * estimateJobMs(speed, job.edit) };
      while (companions.length < most - 1) {
        const companion = (await isWaiting(job, options)) ? await claim(job, options) : undefined;
        if (companion === undefined) break;
        companions.push(companion);
      }
      return companions;
    },

    learn(job, worthTogether = 1) {
      const kind = kindOf(job);
      if (kind === undefined) return;
      worth.delete(kind);
      worth.set(kind, worthTogether);
      if (worth.size > MAX_KINDS) worth.delete(worth.keys().next().value!);
    },
  };
}
