/** The network's own weights, which DoRA needs: it sets the length of the rows of the sum of both. */

export interface BaseLayer {
  /** Rows `from` up to `to` of the layer's matrix, as float32. */
  rows(from: number, to: number): Promise<Float32Array>;
  /** The layer's bias; undefined if it has none. */
  bias(): Promise<Float32Array | undefined>;
  /** x [M, size] times a matrix [N, size] transposed: [M, N]. */
  multiply(x: Float32Array, matrix: Float32Array, size: number): Promise<Float32Array>;
}

/** Finds a layer by its name; undefined if its weights cannot be read. */
export type FindBase = (layer: string) => BaseLayer | undefined;
