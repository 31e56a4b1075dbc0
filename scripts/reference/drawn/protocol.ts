/** What passes between the harness and its two workers, the reference in Python and ours in Node: JSON, a line each way. */

/** How a case differs from the drawn one. */
export interface Changes {
  /** Values of fields by name. */
  fixed: Readonly<Record<string, unknown>>;
  /** The only fields that may be unusual; by default all. */
  unusual?: readonly string[] | undefined;
}

/** What the reference's worker is asked. */
export interface Question extends Changes {
  index: number;
}

/** An edit as it is drawn; sizes are [width, height] in pixels. */
export interface DrawnEdit {
  prompt: string;
  prompt_2: string | null;
  max_sequence_length: number | null;
  negative_prompt: string | null;
  true_cfg_scale: number | null;
  guidance: number;
  steps: number;
  sigmas: readonly number[] | null;
  seed: number;
  target: [number, number];
  references: readonly [number, number][];
  /** Side of a token in pixels. */
  grid: number;
  loras: readonly { file: string; scale: number }[];
  /** Single files instead of components, by the engine's names; paths in the case's folder. */
  files: Readonly<Record<string, string>>;
  /** A `.safetensors` file with the noise to begin with, `latents` [L, C] as packed tokens; by default it is drawn. */
  latents?: string | null;
}

/** A case as the reference's worker gives it; its folder holds the checkpoint, the sources and the reference's results. */
export interface DrawnCase {
  folder: string;
  edit: DrawnEdit;
  /** Fields with another value than the plain one. */
  odd: Readonly<Record<string, unknown>>;
  /** Why the reference refuses it. */
  refusal?: string;
}

export type ReferenceAnswer = DrawnCase | { fault: string };

/** How near ours came, in decibels; "none" where the reference itself gives no numbers. */
export type Decibels = number | "equal" | "none";

export type OurAnswer =
  | { latents: Decibels; picture: Decibels; notices: readonly string[]; ran: true }
  | { refusal: string; ran: false }
  | { fault: string };
