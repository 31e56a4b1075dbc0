/**
 * The course of a job, for operators: its last events with their times, in a column of its row, so that each is written
 * with the change that it tells of and goes with the job.
 */

/** Events that are kept of a job; a client may retry it any number of times. */
export const COURSE_LENGTH = 100;

/** What happens to a job, beside the statuses in which it ends. */
export type CourseEvent =
  | "queued"
  /** All its images are in the storage. */
  | "imagesStored"
  | "started"
  /** Its worker was lost, failed or stopped. */
  | "givenBack"
  | "held"
  /** Its result is on its way into the caller's bucket. */
  | "approved"
  | "retried"
  | "completed"
  | "failed"
  | "cancelled"
  | "timedOut";

/** One event as operators see it. */
export interface CourseEntry {
  /** ISO 8601. */
  at: string;
  event: CourseEvent;
  worker?: string;
  attempt?: number;
  reason?: string;
}

type Details = Partial<Record<"worker" | "attempt" | "reason", string>>;

/** The first event of a job, in SQL. @param details SQL expressions */
export const firstNoted = (event: CourseEvent, details: Details = {}): string =>
  `jsonb_build_array(${entry(`'${event}'`, details)})`;

/** An assignment that adds an event to the course of a row of `jobs`. @param details SQL expressions */
export const noted = (event: CourseEvent, details: Details = {}): string => notedAs(`'${event}'`, details);

/** The same for an SQL expression that gives the event. */
export const notedAs = (event: string, details: Details = {}): string =>
  `course = case when jsonb_array_length(jobs.course) < ${COURSE_LENGTH} then jobs.course else jobs.course - 0 end
    || ${entry(event, details)}`;

function entry(event: string, details: Details): string {
  const fields = Object.entries(details).map(([name, value]) => `, '${name}', ${value}`);
  return `jsonb_strip_nulls(jsonb_build_object('at', clock_timestamp(), 'event', ${event}${fields.join("")}))`;
}
