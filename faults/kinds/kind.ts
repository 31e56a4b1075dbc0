/** What a fault is, and what it gets to work with. */
import type { Arrangement, Shape } from "../arrangement.ts";
import type { Clock } from "../clock.ts";
import type { Disk } from "../disk.ts";
import type { Random } from "../random.ts";
import type { ReceiverKind } from "../receivers.ts";

export interface Scene {
  arrangement: Arrangement;
  /** Draws the moments and how long things last. */
  random: Random;
  /** Of the programs with a clock of their own. */
  clocks: ReadonlyMap<string, Clock>;
  /** The small file system, where the kind asks for one. */
  disk: Disk | undefined;
  keys: readonly string[];
  /** Ends the round early. */
  signal: AbortSignal;
  /** Waits, or ends early with the round. */
  wait(ms: number): Promise<void>;
  /** Says what is done, for a failed round. */
  note(sentence: string): void;
  problem(what: string, detail: string): void;
}

export interface FaultKind {
  name: string;
  /** One sentence for the table. */
  what: string;
  drawShape(random: Random): Shape;
  /** Why it cannot be tried on this machine; absent where it always can. */
  missing?: () => string | undefined;
  /** Settings that differ from those of all rounds. */
  settings?: (random: Random) => Record<string, string>;
  /** What receivers of webhooks do. @default all are healthy */
  receivers?: readonly ReceiverKind[];
  /** Programs whose clocks it turns: names of units, or "postgres". */
  clocksOf?: (shape: Shape) => string[];
  /** Bytes of a small file system, and what lies on it. */
  disk?: (shape: Shape) => { bytes: number; what: "data" | "postgres" };
  /** Whether it comes while everything starts for the first time, and not later, under load. */
  isAtStart?: boolean;
  /** Whether clients ask /readyz before they choose a server, as a load balancer does, and every call must be answered. */
  isBalanced?: boolean;
  /** Does the harm, and mends it. */
  strike(scene: Scene): Promise<void>;
}

const scaled: Shape = {
  kind: "scaled",
  servers: 1,
  workers: 2,
  workersInServers: 0,
  hasOwnDatabase: false,
  hasRealEngine: false,
};

const embedded: Shape = {
  kind: "embedded",
  servers: 1,
  workers: 0,
  workersInServers: 1,
  hasOwnDatabase: false,
  hasRealEngine: false,
};

export const SHAPES = {
  embedded,
  scaled,
  /** One machine: PostgreSQL and a folder. */
  folder: { ...scaled, kind: "folder", workers: 0, workersInServers: 1 },
  /** Two servers and three workers. */
  large: { ...scaled, servers: 2, workers: 3 },
  ownDatabase: { ...scaled, hasOwnDatabase: true },
} as const satisfies Record<string, Shape>;

/** Longer than the lease that all rounds set. */
export const PAST_LEASE_MS = [5500, 8000] as const;
