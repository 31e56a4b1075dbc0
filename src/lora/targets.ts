/** What the modules of a LoRA correspond to. A pipeline knows their names. */

export interface Target {
  columns: number;
  /** The layers it corresponds to, one after the other in its rows. */
  parts: readonly { layer: string; rows: number }[];
  /** Whether the layer has the two halves of the rows in the other order. */
  isSwapped: boolean;
}

/** Finds the module that a key of a file begins with. */
export type FindTarget = (module: string) => Target | undefined;
