/** The latest results of something that takes long, by what they were made from: the oldest make room for new ones. */

/** Encoded prompts that are kept: seven of FLUX.1's, four of FLUX.2 klein 4B's. */
export const REMEMBERED_PROMPT_BYTES = 64 * 2 ** 20;

/** Encoded references that are kept: sixteen of a megapixel, as FLUX.2 has them. */
export const REMEMBERED_REFERENCE_BYTES = 32 * 2 ** 20;

export class Remembered<Value> {
  readonly #values = new Map<string, Value>();
  readonly #maxBytes: number;
  readonly #bytesOf: (value: Value) => number;

  /** @param maxBytes of all values; one that is larger alone is not remembered */
  constructor(maxBytes: number, bytesOf: (value: Value) => number) {
    this.#maxBytes = maxBytes;
    this.#bytesOf = bytesOf;
  }

  /** The value that was made from `key`, or a new one. A failure is not remembered. */
  async get(key: string, make: () => Promise<Value>): Promise<Value> {
    const known = this.#values.get(key);
    const value = known ?? (await make());
    this.#values.delete(key);
    this.#values.set(key, value);
    this.#forget();
    return value;
  }

  #forget(): void {
    let total = [...this.#values.values()].reduce((sum, value) => sum + this.#bytesOf(value), 0);
    for (const [key, value] of this.#values) {
      if (total <= this.#maxBytes) return;
      this.#values.delete(key);
      total -= this.#bytesOf(value);
    }
  }
}
