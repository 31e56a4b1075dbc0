/** Has the files of masks checked in a process of their own, one at a time, for as long as somebody asks. */
import { RetouchError } from "../errors.ts";
import type { GivenMask } from "../engine/mask-rules.ts";
import type { NoAnswer } from "./answer-parent.ts";
import { createAskedProcess } from "./asked-process.ts";

/** What the process is told. */
export interface MaskOrder {
  given: GivenMask;
  maxPixels: number;
}

export type MaskAnswer = { kind: "usable" } | NoAnswer;

export interface MaskChecker {
  /**
   * Resolves for a mask that can be used, and for one of which that is not known in time: its job tells.
   * @throws RetouchError INVALID_PARAMETER about `mask`
   */
  check(given: GivenMask): Promise<void>;
  /** Ends the process. */
  close(): void;
}

export interface MaskCheckerOptions {
  /** Most pixels of a picture. */
  maxPixels: number;
  /** The process's compiled file. */
  entry?: URL | undefined;
  /** Why a mask was not checked, for the log. */
  onError?: ((reason: string) => void) | undefined;
  /** How long one mask may take once the process is there. @default 2,000: clients of /run give up after three seconds */
  checkMs?: number | undefined;
  /** How long the process may take to start. @default 20,000 */
  startMs?: number | undefined;
  /** How long it stays without a mask. @default 30,000 */
  idleMs?: number | undefined;
}

const REASONS = {
  late: "A mask could not be checked in time.",
  unstarted: "The process that checks masks does not start.",
};

export function createMaskChecker({
  maxPixels,
  entry = new URL("./mask-process.js", import.meta.url),
  onError = () => {},
  checkMs: answerMs = 2000,
  startMs,
  idleMs,
}: MaskCheckerOptions): MaskChecker {
  const asked = createAskedProcess<MaskOrder, MaskAnswer>({ entry, answerMs, startMs, idleMs });
  return {
    async check(given) {
      const answer = await asked.ask({ given, maxPixels });
      // More than wait already are left to their jobs.
      if (answer === "busy") return;
      if (typeof answer === "string") return onError(REASONS[answer]);
      if (answer.kind === "failed") return onError(answer.reason);
      if (answer.kind === "usable") return;
      const { code, kind, values } = answer.record;
      throw new RetouchError(code, { kind, values });
    },
    close: asked.close,
  };
}
