/** The jobs of this browser, each followed to its end, whatever the page shows meanwhile. */
import { type Api, ApiError } from "./api.ts";
import { withEnd } from "./fetch-result.ts";
import { followJob, type JobProgress } from "./follow-job.ts";
import type { EditRecord } from "./history-store.ts";
import { watchPlace, type Waiting } from "./queue-watch.ts";

export interface JobFollowerOptions {
  /** The API of an endpoint, with the present key. */
  apiOf: (record: EditRecord) => Api;
  onWaiting: (record: EditRecord, waiting: Waiting) => void;
  onProgress: (record: EditRecord, progress: JobProgress) => void;
  /** Called with the record of an edit that has ended. */
  onEnd: (record: EditRecord) => Promise<void>;
  onConnection: (isThere: boolean) => void;
  onRefusedKey: () => void;
}

export interface JobFollower {
  follow(record: EditRecord): Promise<void>;
  cancel(record: EditRecord): Promise<unknown>;
}

const GONE =
  "There is no such job for this API key: it belongs to another key, or the server no longer keeps it.";

export function createJobFollower(options: JobFollowerOptions): JobFollower {
  const { apiOf, onProgress, onWaiting, onEnd, onConnection } = options;
  /** Each with the key that submitted it; other keys cannot see the job. */
  const followed = new Map<string, Api>();
  return {
    async follow(record) {
      if (followed.has(record.id)) return;
      const own = apiOf(record).withPresentKey();
      followed.set(record.id, own);
      const place = watchPlace(own, record.jobId, (waiting) => onWaiting(record, waiting));
      try {
        const job = await followJob(own, record.jobId, {
          onConnection,
          onProgress(progress) {
            place.stop();
            onProgress(record, progress);
          },
        });
        await onEnd(await withEnd(record, job, onConnection));
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) options.onRefusedKey();
        else {
          const isGone = error instanceof ApiError && error.status === 404;
          const sentence = isGone ? GONE : String((error as Error).message);
          await onEnd({ ...record, status: "failed", error: sentence });
        }
      } finally {
        place.stop();
        followed.delete(record.id);
      }
    },
    cancel: (record) => (followed.get(record.id) ?? apiOf(record)).cancel(record.jobId),
  };
}
