/** Numbers that are the same in every run, to try a device with. */
import type { Tensor } from "./session.ts";

export class DrawnNumbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** Normally distributed numbers. */
  normal(shape: readonly number[], deviation = 1): Tensor {
    const data = new Float32Array(sizeOf(shape));
    // Two at a time (Box and Muller).
    for (let index = 0; index < data.length; index += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - this.#next()));
      const angle = 2 * Math.PI * this.#next();
      data[index] = radius * Math.cos(angle);
      if (index + 1 < data.length) data[index + 1] = radius * Math.sin(angle);
    }
    return { data, shape };
  }

  /** Whole numbers from 0 to `below`, exclusive. */
  whole(shape: readonly number[], below: number): Tensor {
    const data = BigInt64Array.from({ length: sizeOf(shape) }, () =>
      BigInt(Math.floor(this.#next() * below)),
    );
    return { data, shape };
  }

  /** Cosines and sines of the same angles. */
  angles(shape: readonly number[]): { cos: Tensor; sin: Tensor } {
    const angles = Float64Array.from({ length: sizeOf(shape) }, () => 2 * Math.PI * this.#next());
    return {
      cos: { data: Float32Array.from(angles, Math.cos), shape },
      sin: { data: Float32Array.from(angles, Math.sin), shape },
    };
  }

  /** From 0 to 1, exclusive: mulberry32, a counter whose bits are mixed. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);
