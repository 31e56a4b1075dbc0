/** Where an edit is a change of light or colour: its local models, and where they explain what the network drew. */
import { boxMeans } from "../images/plane.ts";
import { type ColourModels, fitColours, modelled } from "./affine-colour.ts";
import type { Colours } from "./colours.ts";
import { contrastOf, fineSquaresOf } from "./detail.ts";
import { blurredOf } from "./kept.ts";

export interface Carried {
  models: ColourModels;
  /** Of each pixel at working size: 1 where it is carried over, 0 where it is drawn. */
  share: Float32Array;
}

/** Radius of the windows of the model, in working pixels. */
const RADIUS = 3;

/** @param fineSquares of the result's detail */
export function carriedOf(
  source: Colours,
  result: Colours,
  { noise, fineSquares }: { noise: number; fineSquares: Float32Array },
): Carried {
  const models = fitColours(source, result, RADIUS, 2 + noise * noise);
  const ofModels = modelled(source, models);
  const { width, height } = source[0];
  const size = { width, height };
  const blurred = blurredOf(fineSquares, fineSquaresOf(ofModels), { size, noise });
  const [r, g, b] = result.map(({ data }) => data) as [Float32Array, Float32Array, Float32Array];
  const [mr, mg, mb] = ofModels.map(({ data }) => data) as [Float32Array, Float32Array, Float32Array];
  const error = boxMeans(size, 2, (y, line, at) => {
    for (let x = 0, i = y * width; x < width; x++, i++) {
      const [red, green, blue] = [r[i]! - mr[i]!, g[i]! - mg[i]!, b[i]! - mb[i]!];
      line[at + x] = (red * red + green * green + blue * blue) / 3;
    }
  });
  const contrast = contrastOf(result, 2);
  const share = error;
  for (let i = 0; i < share.length; i++) {
    const limit = (1.3 * noise + 1.5) ** 2 + (0.2 * contrast[i]!) ** 2;
    share[i] = blurred[i] === 1 ? 0 : Math.min(Math.max(2 - error[i]! / limit, 0), 1);
  }
  const soft = boxMeans(size, 1, (y, line, at) => line.set(share.subarray(y * width, (y + 1) * width), at));
  for (let i = 0; i < share.length; i++) share[i] = Math.min(soft[i]!, share[i]!);
  return { models, share };
}
