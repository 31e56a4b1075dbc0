/** What networks receive and return. */

/** Numbers and their shape, as a network receives and returns them; those of a `DeviceTensor` only networks can read. */
export interface Tensor {
  readonly data: Float32Array | BigInt64Array;
  readonly shape: readonly number[];
}
