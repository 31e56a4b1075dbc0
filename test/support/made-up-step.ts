/** One step of a transformer on made-up inputs: three tokens of text, four of the image and two of the reference. */
import { rotaryTable } from "../../src/models/transformers/rotary.ts";
import type { Value } from "../../src/onnx/graph.ts";
import { stacked } from "../../src/pipelines/shared/stacking.ts";
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

/**
 * @param options.positions of the nine tokens, on each rotary axis
 * @param options.isBatched whether the transformer takes several images a run; it gets one
 */
export async function madeUpStep(
  velocity: Value,
  { inChannels, headSize, promptSize, rotaryAxes }: Sizes,
  options: {
    modulation: readonly number[];
    positions: readonly number[];
    theta: number;
    isBatched?: boolean;
  },
): Promise<number[]> {
  const { modulation, positions, theta, isBatched = false } = options;
  const latents = madeUp("latents", 6, inChannels).data as Float32Array;
  const rows = (from: number, to: number): Tensor => ({
    data: latents.slice(from * inChannels, to * inChannels),
    shape: [to - from, inChannels],
  });
  const rotary = rotaryTable(Float32Array.from(positions), { axes: rotaryAxes, theta });
  const rotaryShape = [NUM_TOKENS, headSize / 2];
  const tables = stacked([
    {
      rotaryCos: { data: rotary.cos, shape: rotaryShape },
      rotarySin: { data: rotary.sin, shape: rotaryShape },
    },
  ]);
  const tokens = {
    latents: rows(0, 4),
    referenceLatents: rows(4, 6),
    promptEmbeds: madeUp("prompt", TEXT_LENGTH, promptSize),
  };
  const vectors = Float32Array.from(modulation);
  const inputs = isBatched
    ? stacked([{ ...tokens, modulation: { data: vectors, shape: [1, vectors.length] } }])
    : { ...tokens, modulation: { data: vectors, shape: [vectors.length] } };
  const { data } = await evaluate(velocity, { ...inputs, ...tables });
  return data;
}
