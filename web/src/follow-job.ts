/** Follows a job from its submission to its end, even if the server goes away and comes back. */
import { type Api, ApiError, type JobReply, UnreachableError } from "./api.ts";
import { createPatience } from "./patience.ts";

export interface JobProgress {
  step: number;
  of: number;
  /** The forming image, as a data URL. */
  preview?: string;
}

export interface FollowOptions {
  onProgress: (progress: JobProgress) => void;
  /** Called when the connection is lost and when it is back. */
  onConnection: (isThere: boolean) => void;
}

const HOLD_MS = 10_000;
const ENDED = new Set(["COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"]);

/**
 * @returns the job as it ended
 * @throws ApiError 404 for a job that the server no longer knows, 401 for a wrong key
 */
export async function followJob(api: Api, id: string, options: FollowOptions): Promise<JobReply> {
  const { onProgress, onConnection } = options;
  const patience = createPatience();
  for (;;) {
    try {
      const { status, stream } = await api.stream(id, HOLD_MS);
      onConnection(true);
      patience.restore();
      for (const { output } of stream) {
        const [, step, of] = /^(\d+)\/(\d+)$/.exec(output.progress ?? "") ?? [];
        if (step === undefined || of === undefined) continue;
        const progress = { step: Number(step), of: Number(of) };
        onProgress(output.preview === undefined ? progress : { ...progress, preview: output.preview });
      }
      if (ENDED.has(status)) return await api.status(id);
    } catch (error) {
      const isBusy = error instanceof ApiError && error.status === 429;
      if (!(error instanceof UnreachableError) && !isBusy) throw error;
      onConnection(isBusy);
      await patience.wait();
    }
  }
}
