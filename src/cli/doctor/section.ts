/** Defines a section of `retouch doctor`; each section has its own file beside this one. */
import type { ModelPlan } from "../../index.ts";

/** What to examine, as given by the flags. */
export interface Question {
  /** As given with `--checkpoint`: a folder, or a hub repository. */
  checkpoint?: string | undefined;
  transformer?: string | undefined;
  vae?: string | undefined;
  textEncoder?: string | undefined;
  /** A published model, examined by its known sizes. */
  model?: string | undefined;
  /** Bytes. */
  memoryLimit?: number | undefined;
  /** Images of the edit to estimate. @default 1 */
  images?: number | undefined;
}

/** What is examined. */
export interface Subject extends Question {
  name: string;
  plan: ModelPlan;
  /** Absent if there are no local files. */
  folder?: string | undefined;
}

export interface Section {
  title: string;
  /** For people: label and text, or a sentence without a label. */
  lines: readonly (readonly [label: string, text: string] | string)[];
  /** For programs: the value under `name` in the JSON. */
  name: string;
  facts: unknown;
}
