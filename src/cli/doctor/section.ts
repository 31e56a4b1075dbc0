/** What a part of `retouch doctor` is; each has a file of its own beside this one. */

/** What is asked about. */
export interface Subject {
  /** As given with `--checkpoint`: a folder, or a repository of the hub. */
  checkpoint?: string | undefined;
  transformer?: string | undefined;
  vae?: string | undefined;
  /** A published model, by the sizes that are known of it. */
  model?: string | undefined;
  /** Bytes. */
  memoryLimit?: number | undefined;
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
