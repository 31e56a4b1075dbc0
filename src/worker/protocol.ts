/** What the worker and its engine process say to each other. Pictures go through the storage, inline results excepted. */
import type { Price } from "../config/parsers.ts";
import type { JobEdit, JobFailure, JobProgress, JobResult, StoredSource } from "../jobs/job.ts";
import type { ConversionProgress, Engine, EngineOptions } from "../engine/engine.ts";
import type { EditSpeed } from "../engine/estimate.ts";
import type { StorageOptions } from "../storage/open.ts";

/** All that the engine process needs to know, once. */
export interface EngineSetup {
  /** URL of a module with other model families, for tests alone. */
  pipelinesModule?: string | undefined;
  /** What the engine is made with. */
  engine: Omit<EngineOptions, "onConversion">;
  storage: StorageOptions;
  allowPrivateHosts: readonly string[];
  imageMaxBytes: number;
  imageTimeoutMs: number;
  price: Price;
}

/** How long the parts of an edit took, milliseconds. */
export interface EditTiming {
  totalMs: number;
  denoiseMs: number;
}

/** Ids name one thing that is being done; a download and an edit of the same job have different ones. */
export type EngineRequest =
  | { kind: "setup"; setup: EngineSetup }
  | { kind: "edit"; id: string; edit: JobEdit }
  | { kind: "fetch"; id: string; url: string }
  | { kind: "cancel"; id: string };

export type EngineAnswer =
  /** Warmed up; `checkpoint` is the name of its folder, `weights` what they are loaded as, `device` what it runs on and why. */
  | { kind: "ready"; speed: EditSpeed; checkpoint: string; weights: string; device: Engine["device"] }
  /** Weights are being converted, before it is ready; said once for each network and phase. */
  | { kind: "converting"; conversion: Pick<ConversionProgress, "network" | "kind" | "phase"> }
  /** The checkpoint or the settings are no good. The process waits to be ended. */
  | { kind: "unusable"; message: string }
  | { kind: "progress"; id: string; progress: JobProgress }
  | { kind: "completed"; id: string; result: JobResult; timing: EditTiming }
  | ({ kind: "fetched"; id: string } & StoredSource)
  | ({ kind: "failed"; id: string } & Failure)
  | { kind: "cancelled"; id: string };

export interface Failure extends JobFailure {
  /** What the operator needs on top of it, for the log alone. */
  detail?: string | undefined;
}
