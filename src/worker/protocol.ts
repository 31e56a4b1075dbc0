/** Messages between a worker and its engine process. Images go through the storage, except inline results. */
import type { Price } from "../config/parsers.ts";
import type {
  FetchedSource,
  JobEdit,
  JobFailure,
  JobProgress,
  JobResult,
  KeptState,
  KeyRoom,
} from "../jobs/job.ts";
import type { ConversionProgress, Engine, EngineOptions } from "../engine/engine.ts";
import type { EncodingCounts } from "../engine/encodings.ts";
import type { EditSpeed } from "../engine/estimate.ts";
import type { Size } from "../engine/request.ts";
import type { EditPart } from "../engine/stopwatch.ts";
import type { SafetyRecord } from "../jobs/safety-record.ts";
import type { FlaggedAction } from "../config/edit-settings.ts";
import type { StorageOptions } from "../storage/open.ts";

/** Everything that the engine process needs to know, sent once. */
export interface EngineSetup {
  /** URL of a module with other model families, for tests only. */
  pipelinesModule?: string | undefined;
  /** Options of the engine. */
  engine: Omit<EngineOptions, "onConversion">;
  storage: StorageOptions;
  /** Room to be left on the disk of a storage in a folder. @default not looked at */
  minFreeDiskBytes?: number | undefined;
  allowPrivateHosts: readonly string[];
  imageMaxBytes: number;
  imageTimeoutMs: number;
  price: Price;
  /** What becomes of a flagged result. @default "refuse" */
  flagged?: FlaggedAction | undefined;
  /** Edits that take longer are kept as they go; Infinity keeps none. */
  resumeAfterMs: number;
}

/** What a job does: only `editing` counts towards its time limit, the others wait for our own storage. */
export type EditStage = "reading" | "editing" | "storing";

/** How long the parts of an edit took, milliseconds. */
export interface EditTiming {
  totalMs: number;
  denoiseMs: number;
  /** The parts of the edit, after fetching its images from our storage and before storing the result. */
  partsMs: Readonly<Record<"load" | EditPart | "store", number>>;
  /** Size in which the network saw each image. */
  images: readonly Size[];
  /** Steps that were taken in this time, if an earlier run had taken others. */
  numSteps?: number | undefined;
}

/** An id names one piece of work; a download and an edit of the same job have different ids. */
export type EngineRequest =
  | { kind: "setup"; setup: EngineSetup }
  | ({ kind: "edit"; id: string; edit: JobEdit } & EditCircumstances)
  | { kind: "fetch"; id: string; url: string }
  /** Asks whether our storage works. */
  | { kind: "check"; id: string }
  | { kind: "cancel"; id: string }
  /** The worker is about to end: every step's state is to be kept. */
  | { kind: "stopping"; id: string };

/** What counts for an edit besides itself. */
export interface EditCircumstances {
  /** Whose it is. */
  owner: string;
  /** What an earlier attempt left, to go on from. */
  state?: KeptState | undefined;
  /** What its owner may still store. @default as much as there is */
  room?: KeyRoom | undefined;
  /** Signs the receipts of its results. @default they are not signed */
  receiptKey?: string | undefined;
  /** Score from which its results are flagged. @default the engine's */
  safetyThreshold?: number | undefined;
  /** Its result, which was held and is approved: only its way into the caller's bucket is left. */
  approved?: JobResult | undefined;
  /** Those that it runs together with. @default it runs alone */
  group?: JobGroup | undefined;
}

/** Jobs that run together, each of them an edit of its own. */
export interface JobGroup {
  id: string;
  /** How many there are; 2 or more. */
  size: number;
}

export type EngineAnswer =
  /**
   * Warmed up; `checkpoint` is the name of its folder, `weights` how they are loaded, `device` what it runs
   * on and why.
   */
  | {
      kind: "ready";
      speed: EditSpeed;
      checkpoint: string;
      weights: string;
      device: Engine["device"];
      /** Memory that its process takes for a usual edit. */
      neededBytes?: number | undefined;
      /** What whoever runs the service should know about the checkpoint. */
      notices?: readonly string[] | undefined;
    }
  /** Weights are being converted before it is ready; sent once per network and phase. */
  | { kind: "converting"; conversion: Pick<ConversionProgress, "network" | "kind" | "phase"> }
  /** The checkpoint or the settings are unusable. The process waits to be ended. */
  | { kind: "unusable"; message: string }
  | { kind: "progress"; id: string; progress: JobProgress }
  | { kind: "stage"; id: string; stage: EditStage }
  /** A finished result waits because our storage does not take it; it is tried again. */
  | { kind: "waiting"; id: string; detail: string }
  | { kind: "state"; id: string; state: KeptState }
  | { kind: "note"; id: string; note: EditNote }
  /** The process's own, since it began; sent before the end of every edit. */
  | { kind: "encodings"; encodings: EncodingCounts }
  | ({ kind: "completed"; id: string } & EditDone)
  | ({ kind: "fetched"; id: string } & FetchedSource)
  | { kind: "checked"; id: string }
  | ({ kind: "failed"; id: string } & Failure)
  /** This attempt has failed, and another may succeed. */
  | { kind: "attemptFailed"; id: string; error: string; detail: string }
  /** Our storage is away: the work is to be given back. */
  | { kind: "storageAway"; id: string; detail: string }
  | { kind: "cancelled"; id: string };

/** What came of an edit. */
export interface EditDone {
  result: JobResult;
  timing: EditTiming;
  /** How many edits like it are worth running together, as far as that is known. */
  worthTogether?: number | undefined;
  judged?: Judged | undefined;
}

/** What the safety checker said; absent where nothing was checked. */
export interface Judged {
  safety: SafetyRecord;
  /** Whether a result was flagged, and all wait for an operator. */
  isHeld: boolean;
}

/** Where an engine works, and what with. */
export interface EnginePlace {
  device: string;
  model: string;
}

/** For the log: that an edit goes on from a state, that it cannot, or that its state cannot be kept. */
export interface EditNote {
  level: "info" | "warn";
  sentence: string;
}

export interface Failure extends JobFailure {
  /** What else the operator needs, for the log only. */
  detail?: string | undefined;
}
