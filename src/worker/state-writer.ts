/** Writes into a job's row where its latest state is, one after the other. */
import type { WorkQueue } from "../jobs/contracts.ts";
import type { ClaimedJob, KeptState } from "../jobs/job.ts";
import type { Outage } from "./outage.ts";

export interface StateWriter {
  write(state: KeptState): void;
  /** Waits until nothing is left to be written. */
  done(): Promise<void>;
}

export interface StateWriterOptions {
  queue: Pick<WorkQueue, "keepState">;
  outage: Outage;
  workerId: string;
  /** Deletes a stored object that no job refers to. */
  discardSource: (key: string) => Promise<void>;
}

export function createStateWriter(options: StateWriterOptions, job: ClaimedJob): StateWriter {
  const { queue, outage, workerId, discardSource } = options;
  let last = Promise.resolve();

  async function write(state: KeptState): Promise<void> {
    // If it may have been written all the same, the sweeper checks who needs the state.
    const isOurs = await outage.watch(() => queue.keepState(job, workerId, state)).catch(() => true);
    if (!isOurs) await discardSource(state.key).catch(() => {});
  }

  return {
    write(state) {
      last = last.then(() => write(state));
    },
    done: () => last,
  };
}
