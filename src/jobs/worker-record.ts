/** What a worker tells of itself, for servers that may run elsewhere. */
import type { EditSpeed } from "../engine/estimate.ts";

export type WorkerStatus = "initializing" | "idle" | "running" | "unhealthy";

/** What keeps a worker from working. */
export type WorkerFault = "engine" | "storage";

export interface WorkerRecord {
  /** 14 lower-case letters and digits, chosen at start. */
  id: string;
  status: WorkerStatus;
  /** Known where the status is `unhealthy`. */
  fault?: WorkerFault | undefined;
  /** Those that it serves, by name. */
  endpoints: Readonly<Record<string, ServedEndpoint>>;
}

/** What a worker knows of an endpoint that it serves. */
export interface ServedEndpoint {
  /** Known once its engine has warmed up here. */
  speed?: EditSpeed | undefined;
  /** What its engine runs on here, and the checkpoint; absent in rows of earlier versions. */
  device?: string | undefined;
  model?: string | undefined;
  /** Its engine cannot be loaded here; the worker goes on with others. */
  isFaulty?: boolean | undefined;
}
