/** What a part of `retouch doctor` is; each has a file of its own beside this one. */
import type { ModelPlan } from "../../index.ts";

/** What is asked about, as the flags say it. */
export interface Question {
  /** As given with `--checkpoint`: a folder, or a repository of the hub. */
  checkpoint?: string | undefined;
  transformer?: string | undefined;
  vae?: string | undefined;
  textEncoder?: string | undefined;
  /** A published model, by the sizes that are known of it. */
  model?: string | undefined;
  /** Bytes. */
  memoryLimit?: number | undefined;
}

/** What is examined. */
export interface Subject extends Question {
  name: string;
  plan: ModelPlan;
  /** Absent where no files are here. */
  folder?: string | undefined;
}

export interface Section {
  title: string;
  /** For people: label and text, or a sentence without a label. */
  lines: readonly (readonly [label: string, text: string] | string)[];
  /** For programs: what stands under `name` in the JSON. */
  name: string;
  facts: unknown;
}

/** Finds out; loads no network. */
export type Examination = (subject: Subject) => Promise<Section>;
