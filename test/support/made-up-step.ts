/** One step of a transformer on made-up inputs: three tokens of text, four of the image and two of the reference. */
import { rotaryTable } from "../../src/models/transformers/rotary.ts";
import type { Value } from "../../src/onnx/graph.ts";
import type { Tensor } from "../../src/runtime/session.ts";
import { madeUp } from "./made-up.ts";
import { evaluate } from "./onnx.ts";

export const TEXT_LENGTH = 3;
const NUM_TOKENS = 9;

interface Sizes {
  readonly inChannels: number;
  readonly headSize: number;
  readonly promptSize: number;
  readonly rotaryAxes: readonly number[];
}

/** @param options.positions of the nine tokens, on each rotary axis */
export async function madeUpStep(
  velocity: Value,
  { inChannels, headSize, promptSize, rotaryAxes }: Sizes,
  options: { modulation: readonly number[]; positions: readonly number[]; theta: number },
): Promise<number[]> {
  const { modulation, positions, theta } = options;
  const latents = madeUp("latents", 6, inChannels).data as Float32Array;
  const rows = (from: number, to: number): Tensor => ({
    data: latents.slice(from * inChannels, to * inChannels),
    shape: [to - from, inChannels],
  });
  const rotary = rotaryTable(Float32Array.from(positions), { axes: rotaryAxes, theta });
  const rotaryShape = [1, NUM_TOKENS, headSize / 2];
  const { data } = await evaluate(velocity, {
    latents: rows(0, 4),
    referenceLatents: rows(4, 6),
    promptEmbeds: madeUp("prompt", TEXT_LENGTH, promptSize),
    modulation: { data: Float32Array.from(modulation), shape: [modulation.length] },
    rotaryCos: { data: rotary.cos, shape: rotaryShape },
    rotarySin: { data: rotary.sin, shape: rotaryShape },
  });
  return data;
}
