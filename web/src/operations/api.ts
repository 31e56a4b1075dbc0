/** The server's routes for operators, as the page reads them. */
import { createCaller } from "../api.ts";

export interface Safety {
  checker: { name: string; sha256: string };
  threshold: number;
  scores: number[];
}

export interface HeldReview {
  jobId: string;
  keyId: string;
  keyName?: string;
  endpoint: string;
  heldAt: string;
  until: string;
  prompt: string;
  safety: Safety;
  pictures: { bytes: number }[];
}

export interface LogEntry {
  at: string;
  jobId: string;
  event: string;
  actor: { keyId?: string; name: string };
  reason?: string;
}

export interface KeyRow {
  id: string;
  name: string;
  prefix: string;
  createdAt: string;
  revokedAt?: string;
  lastUsedAt?: string;
  isOperator?: true;
  safetyThreshold?: number;
  storedBytes: number;
  completed: number;
  failed: number;
  cost: number;
}

export interface KeysReply {
  keys: KeyRow[];
  limits: {
    storedBytes: number;
    maxQueued: number;
    windowSeconds: number;
    runCalls: number;
    runsyncCalls: number;
    statusCalls: number;
  };
}

export interface CreatedKey {
  id: string;
  name: string;
  key: string;
  webhookSecret: string;
}

export interface QueueRow {
  keyId: string;
  keyName?: string;
  endpoint: string;
  queued: number;
  running: number;
  held: number;
  oldestAt?: string;
}

export interface WorkerRow {
  id: string;
  status: string;
  fault?: string;
  jobId?: string;
  endpoints: { endpoint: string; model?: string; device?: string; stepMs?: number; isFaulty?: true }[];
}

export interface DiskReply {
  disk?: { freeBytes: number; totalBytes: number; keptFreeBytes: number };
  databaseBytes: number;
  kinds: { kind: string; files: number; bytes: number }[];
}

export interface JobCourse {
  id: string;
  keyId: string;
  keyName?: string;
  endpoint: string;
  status: string;
  isHeld?: true;
  progress?: { step: number; of: number };
  safety?: Safety;
  course: { at: string; event: string; worker?: string; attempt?: number; reason?: string }[];
  deliveries: {
    url: string;
    status: string;
    attempts: number;
    createdAt: string;
    lastAttemptAt?: string;
    lastStatus?: number;
    lastError?: string;
  }[];
}

export interface OperatorApi {
  keys(): Promise<KeysReply>;
  createKey(key: { name: string; safetyThreshold?: number }): Promise<CreatedKey>;
  revokeKey(id: string): Promise<void>;
  queue(): Promise<{ keys: QueueRow[] }>;
  workers(): Promise<{ workers: WorkerRow[] }>;
  disk(): Promise<DiskReply>;
  job(id: string): Promise<JobCourse>;
  reviews(): Promise<{ reviews: HeldReview[]; total: number }>;
  /** @param place of the result, from 0 */
  picture(jobId: string, place: number): Promise<Blob>;
  decide(jobId: string, decision: "approve" | "reject", reason: string): Promise<void>;
  log(): Promise<{ entries: LogEntry[] }>;
}

/** Decisions that the page lists. */
const LOG_LENGTH = 20;

export function createOperatorApi(key: () => string): OperatorApi {
  const { call, picture } = createCaller("/operator", key);
  const review = (jobId: string): string => `/reviews/${encodeURIComponent(jobId)}`;
  return {
    keys: () => call("/keys"),
    createKey: (key) => call("/keys", { method: "POST", body: JSON.stringify(key) }),
    revokeKey: (id) =>
      call(`/keys/${encodeURIComponent(id)}/revoke`, { method: "POST", body: JSON.stringify({}) }),
    queue: () => call("/queue"),
    workers: () => call("/workers"),
    disk: () => call("/disk"),
    job: (id) => call(`/jobs/${encodeURIComponent(id)}`),
    reviews: () => call("/reviews"),
    picture: (jobId, place) => picture(`${review(jobId)}/pictures/${place}`),
    decide: (jobId, decision, reason) =>
      call(`${review(jobId)}/${decision}`, { method: "POST", body: JSON.stringify({ reason }) }),
    log: () => call(`/review-log?limit=${LOG_LENGTH}`),
  };
}
