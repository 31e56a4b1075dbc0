/** The sizes of what klein's transformer takes, for the inputs that every side gets. */
import type { Flux2Config } from "../../src/models/transformers/flux2-config.ts";
import { countOperations, unloadedNetwork } from "../../src/models/count.ts";
import { flux2Transformer } from "../../src/models/transformers/flux2.ts";
import type { InputSizes, StepSize } from "../full-size/step-inputs.ts";

/** Floating point operations of one step with a reference of the target's size: linear layers and attention. */
export function flopsPerStep(config: Flux2Config, { latentSide, textTokens }: StepSize): number {
  const outputs = unloadedNetwork((weights) => flux2Transformer(config, weights, { textLength: textTokens }));
  const tokens = latentSide ** 2;
  const dims = { target: tokens, reference: tokens, images: 2 * tokens, tokens: 2 * tokens + textTokens };
  const { linear, attention } = countOperations(outputs, dims);
  return linear + attention;
}

/** A cell is a token, and there is no pooled text. */
export const kleinInputs = ({ inChannels, promptSize }: Flux2Config): InputSizes => ({
  channels: inChannels,
  promptSize,
  pooledSize: 0,
});
