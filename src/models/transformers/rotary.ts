/** The rotary embedding's table: the angles by which attention rotates the queries and keys of each token. */

export interface RotaryTable {
  /** Cosines and sines, [L, D/2] each. */
  cos: Float32Array;
  sin: Float32Array;
}

export interface RotaryOptions {
  /** How many of a head's dimensions each axis of a position rotates; even numbers, whose sum is D. */
  axes: readonly number[];
  /** The base of the frequencies. */
  theta: number;
}

/**
 * Computes the table for positions [L, axes]. The angles are float64 and their cosines and sines float32, as in
 * diffusers 0.42.1 (`get_1d_rotary_pos_embed`): half precision would merge positions beyond 256.
 */
export function rotaryTable(ids: Float32Array, { axes, theta }: RotaryOptions): RotaryTable {
  const numTokens = ids.length / axes.length;
  const half = axes.reduce((sum, axis) => sum + axis, 0) / 2;
  const table: RotaryTable = {
    cos: new Float32Array(numTokens * half),
    sin: new Float32Array(numTokens * half),
  };
  const frequencies = axes.flatMap((size, axis) =>
    Array.from({ length: size / 2 }, (_, index) => ({ axis, frequency: 1 / theta ** ((2 * index) / size) })),
  );
  for (let token = 0; token < numTokens; token += 1) {
    frequencies.forEach(({ axis, frequency }, index) => {
      const angle = ids[token * axes.length + axis]! * frequency;
      table.cos[token * half + index] = Math.cos(angle);
      table.sin[token * half + index] = Math.sin(angle);
    });
  }
  return table;
}
