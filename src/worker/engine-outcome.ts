/** How the engine process's work ends, and what it tells of it meanwhile. */
import type { FetchedSource, JobFailure, JobProgress } from "../jobs/job.ts";
import type { EditDone, EditStage } from "./protocol.ts";

/** How work ended that was not done. */
export type NotDone =
  | ({ kind: "failed" } & JobFailure)
  | { kind: "cancelled" }
  /** This attempt failed, mostly because the process ended meanwhile, by itself or killed. */
  | { kind: "crashed"; error: string }
  /** There is no process: nothing was begun. */
  | { kind: "absent" }
  /** Our own storage did not give or take an image; what is wrong, for the log. */
  | { kind: "storageAway"; detail: string };

export type EngineOutcome = ({ kind: "completed" } & EditDone) | NotDone;
export type FetchOutcome = ({ kind: "fetched" } & FetchedSource) | NotDone;

/** What is told of a job while it runs. */
export interface RunEvents {
  onProgress: (progress: JobProgress) => void;
  onStage?: ((stage: EditStage) => void) | undefined;
  /** A finished result waits, because our storage does not take it; called after each try. */
  onWaiting?: ((detail: string) => void) | undefined;
}
