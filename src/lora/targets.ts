/** What the modules of a LoRA correspond to. A pipeline knows their names. */

/** A linear layer, or several that the file has as one. */
export interface LinearTarget {
  columns: number;
  /** The layers it corresponds to, one after the other in its rows. */
  parts: readonly { layer: string; rows: number }[];
  /** Whether the layer has the two halves of the rows in the other order. */
  isSwapped: boolean;
}

/** A norm, whose weight a file may replace. */
export interface NormTarget {
  norm: string;
  size: number;
}

export type Target = LinearTarget | NormTarget;

export const isNorm = (target: Target): target is NormTarget => "norm" in target;

/** Finds the module that a key of a file begins with. */
export type FindTarget = (module: string) => Target | undefined;

/**
 * A layer's name as peft's patterns know it: without the name of its network, which diffusers takes off first.
 * @returns the network's name, with its dot, and the rest
 */
export function splitLayer(layer: string): [network: "transformer." | "text_encoder.", name: string] {
  return layer.startsWith(TEXT_ENCODER)
    ? [TEXT_ENCODER, layer.slice(TEXT_ENCODER.length)]
    : ["transformer.", layer];
}

/** Begins the names of the text encoder's layers; those of the main network have no such beginning. */
export const TEXT_ENCODER = "text_encoder.";
