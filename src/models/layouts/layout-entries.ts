/** What the layouts of several networks are made of. */
import type { LayoutEntry } from "../../weights/tensor-file.ts";

/** A linear layer of the network and its rows. */
export type Part = readonly [key: string, rows: number];

/** A tensor `key.name` of a linear layer whose rows belong to one or more layers of the network. */
export function layerEntry(
  key: string,
  name: "weight" | "bias",
  parts: readonly Part[],
  rest: readonly number[],
): LayoutEntry {
  return {
    key: `${key}.${name}`,
    shape: [parts.reduce((sum, [, count]) => sum + count, 0), ...rest],
    parts: parts.map(([part, count]) => ({ key: `${part}.${name}`, shape: [count, ...rest] })),
  };
}

/** The same layout for each of `count` blocks. */
export const repeated = (count: number, layoutOf: (index: number) => LayoutEntry[]): LayoutEntry[] =>
  Array.from({ length: count }, (_, index) => layoutOf(index)).flat();

/** The two halves of the rows in the other order. */
export const swapped = (entry: LayoutEntry): LayoutEntry => ({ ...entry, isSwapped: true });

/** The norms of queries and keys. @param suffix what their weights are called in the file */
export const headNormEntries = (
  size: number,
  from: string,
  to: readonly [query: string, key: string],
  suffix = "scale",
): LayoutEntry[] =>
  ["query_norm", "key_norm"].map((name, index) => ({
    key: `${from}.${name}.${suffix}`,
    shape: [size],
    parts: [{ key: `${to[index]}.weight`, shape: [size] }],
  }));

/** What a double-stream block calls the layers of a stream: in the original, and diffusers' names. */
export interface StreamNames {
  original: "img" | "txt";
  /** Of its own in every block of FLUX.1. */
  modulation: string;
  projections: readonly [query: string, key: string, value: string];
  norms: readonly [query: string, key: string];
  output: string;
  feedForward: string;
}

export const STREAMS: Readonly<Record<"image" | "text", StreamNames>> = {
  image: {
    original: "img",
    modulation: "norm1.linear",
    projections: ["attn.to_q", "attn.to_k", "attn.to_v"],
    norms: ["attn.norm_q", "attn.norm_k"],
    output: "attn.to_out.0",
    feedForward: "ff",
  },
  text: {
    original: "txt",
    modulation: "norm1_context.linear",
    projections: ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
    norms: ["attn.norm_added_q", "attn.norm_added_k"],
    output: "attn.to_add_out",
    feedForward: "ff_context",
  },
};
