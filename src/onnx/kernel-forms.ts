/**
 * A graph as a device can run it. Networks are described once, with the operators that suit the CPU; where a device has
 * no kernel for one, or a wrong one, the graph is rewritten before it is serialised, here and nowhere else.
 */
import { numTurns, type Sizes, writtenAttention } from "./forms/attention.ts";
import { splitInTurns } from "./forms/bindings.ts";
import { convInFours } from "./forms/conv-channels.ts";
import { productInRanges } from "./forms/large-weights.ts";
import { productOfRows } from "./forms/row-products.ts";
import { largeTableOnHost } from "./forms/tables.ts";
import { widening } from "./forms/widen.ts";
import { type Operator, operatorsOf, rewrite, type Value } from "./graph.ts";

export type { Sizes } from "./forms/attention.ts";

/** What the kernels of a device can do. */
export interface KernelForms {
  /** Whether attention is one operator, or products and a softmax. */
  attention: "fused" | "written";
  /** Which numbers of input channels a convolution may have: any, or up to four and multiples of four. */
  convChannels: "any" | "fours";
  /** The most outputs a node may have: a shader binds each of them. */
  maxOutputs: number;
  /** Bytes of the largest tensor that a kernel can read. */
  maxTensorBytes: number;
  /** Whether it computes in float16; stored float16 is widened where it does not. */
  hasFloat16: boolean;
  /**
   * How matrices of 8 bits whose rows have one scale each are multiplied: block by block, as all others are, or in whole
   * rows of integers.
   */
  byteProducts: "blocks" | "rows";
}

/** The CPU's: every graph as it is described. */
export const ALL_FORMS: KernelForms = {
  attention: "fused",
  convChannels: "any",
  maxOutputs: Infinity,
  maxTensorBytes: Infinity,
  hasFloat16: true,
  byteProducts: "blocks",
};

type Outputs = Readonly<Record<string, Value>>;
type Replace = (operator: Operator) => readonly Value[] | undefined;

/**
 * Rewrites what `forms` excludes.
 * @param sizes the largest of the graph's named dimensions, as far as they are known: what depends on them, such as
 * the scores of written attention, is only cut to fit if they are
 */
export function withForms(outputs: Outputs, forms: KernelForms, sizes: Sizes = {}): Outputs {
  if (forms === ALL_FORMS) return outputs;
  const { attention, convChannels, maxOutputs, maxTensorBytes, hasFloat16, byteProducts } = forms;
  // In this order: types first, because bytes follow from them, but tables that are not widened before these.
  const replacements: (Replace | false)[] = [
    (operator) => largeTableOnHost(operator, maxTensorBytes),
    !hasFloat16 && widening(),
    attention === "written" && ((operator) => writtenAttention(operator, { maxTensorBytes, sizes })),
    convChannels === "fours" && convInFours,
    byteProducts === "rows" && productOfRows(),
    (operator) => productInRanges(operator, maxTensorBytes),
    (operator) => splitInTurns(operator, maxOutputs),
  ];
  let rewritten = outputs;
  for (const replace of replacements) if (replace) rewritten = rewrite(rewritten, replace);
  return rewritten;
}

/** In how many turns at most `withForms` has attention take its queries: a graph of fewer holds for smaller sizes. */
export function turnsOf(outputs: Outputs, { attention, maxTensorBytes }: KernelForms, sizes: Sizes): number {
  if (attention === "fused") return 0;
  return Math.max(
    0,
    ...operatorsOf(outputs).map((operator) => numTurns(operator, { maxTensorBytes, sizes })),
  );
}
