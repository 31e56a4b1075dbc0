/** Numbers that depend on a seed alone, so that every input can be made again from its parser, seed and index. */

export class Random {
  readonly #state: Uint32Array;

  /** @param key what the numbers depend on */
  constructor(...key: readonly (string | number)[]) {
    this.#state = Uint32Array.from([0, 1, 2, 3], (word) => hash(`${word}:${key.join(":")}`));
    // sfc32 needs some rounds until all bits depend on all of the seed.
    for (let round = 0; round < 12; round += 1) this.next();
  }

  /** A whole number below 2^32: sfc32 (PractRand, Chris Doty-Humphrey). */
  next(): number {
    const [a, b, c, counter] = this.#state as unknown as [number, number, number, number];
    const result = (a + b + counter) >>> 0;
    this.#state[3] = counter + 1;
    this.#state[0] = b ^ (b >>> 9);
    this.#state[1] = c + (c << 3);
    this.#state[2] = ((c << 21) | (c >>> 11)) + result;
    return result;
  }

  /** A whole number from 0 up to, but not including, `count`. */
  below(count: number): number {
    return Math.floor((this.next() / 2 ** 32) * count);
  }

  /** A whole number from `min` to `max`. */
  within(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** True with a probability from 0 to 1. */
  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32;
  }

  /** @param items at least one */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Uint8Array.from({ length: count }, () => this.next()));
  }

  /** Mostly small numbers, from 1 to `max`: half of what remains stops at each doubling. */
  few(max: number): number {
    let most = 1;
    while (most < max && this.chance(0.5)) most *= 2;
    return this.within(1, Math.min(most, max));
  }
}

/** FNV-1a over the code units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}
