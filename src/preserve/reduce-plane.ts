/** Planes in fewer pixels. */
import type { Plane } from "../images/plane.ts";

/** Means over the area of each pixel of the reduced plane. */
export function reducedPlane(plane: Plane, scale: number): Plane {
  if (scale >= 1) return plane;
  const width = Math.max(1, Math.round(plane.width * scale));
  const height = Math.max(1, Math.round(plane.height * scale));
  const columns = areasOf(plane.width, width);
  const rows = areasOf(plane.height, height);
  const line = new Float32Array(width);
  const data = new Float32Array(height * width);
  for (let to = 0; to < height; to++) {
    for (let y = rows.first[to]!; y <= rows.last[to]!; y++) {
      reduceLine(plane.data.subarray(y * plane.width, (y + 1) * plane.width), columns, line);
      const share = rows.shareOf(to, y);
      for (let x = 0, i = to * width; x < width; x++, i++) data[i]! += share * line[x]!;
    }
  }
  return { width, height, data };
}

/** Which inputs each output is the mean of. */
interface Areas {
  first: Int32Array;
  last: Int32Array;
  /** Share of an input in an output. */
  shareOf(output: number, input: number): number;
}

function areasOf(inputs: number, outputs: number): Areas {
  const scale = inputs / outputs;
  const first = Int32Array.from({ length: outputs }, (_, output) => Math.floor(output * scale));
  const last = Int32Array.from(
    { length: outputs },
    (_, output) => Math.min(Math.ceil((output + 1) * scale - 1e-9), inputs) - 1,
  );
  const shareOf = (output: number, input: number): number =>
    (Math.min((output + 1) * scale, input + 1) - Math.max(output * scale, input)) / scale;
  return { first, last, shareOf };
}

function reduceLine(from: Float32Array, { first, last, shareOf }: Areas, to: Float32Array): void {
  for (let x = 0; x < to.length; x++) {
    let sum = 0;
    for (let i = first[x]!; i <= last[x]!; i++) sum += shareOf(x, i) * from[i]!;
    to[x] = sum;
  }
}
