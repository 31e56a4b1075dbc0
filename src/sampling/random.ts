/**
 * Normal numbers equal to those of PyTorch's CPU generator (`torch.randn`, ATen `CPUGeneratorImpl` and `normal_fill`),
 * so a seed gives the image that diffusers gives on the CPU. Exact arithmetic would miss 1e-6, so float32 rounding
 * happens where PyTorch does it.
 */

const STATE_SIZE = 624;
const BLOCK = 16;

/** MT19937 (Matsumoto and Nishimura, 1998); only the low 32 bits of the seed count, as in PyTorch. */
class MersenneTwister {
  readonly #state = new Uint32Array(STATE_SIZE);
  #next = STATE_SIZE;

  constructor(seed: number) {
    this.#state[0] = Number(BigInt.asUintN(32, BigInt(seed)));
    for (let index = 1; index < STATE_SIZE; index += 1) {
      const previous = this.#state[index - 1]!;
      this.#state[index] = Math.imul(1_812_433_253, previous ^ (previous >>> 30)) + index;
    }
  }

  /** 32 random bits. */
  next(): number {
    if (this.#next === STATE_SIZE) this.#twist();
    let bits = this.#state[this.#next]!;
    this.#next += 1;
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  }

  #twist(): void {
    const state = this.#state;
    for (let index = 0; index < STATE_SIZE; index += 1) {
      const mixed = (state[index]! & 0x80000000) | (state[(index + 1) % STATE_SIZE]! & 0x7fffffff);
      const odd = mixed & 1 ? 0x9908b0df : 0;
      state[index] = state[(index + 397) % STATE_SIZE]! ^ (mixed >>> 1) ^ odd;
    }
    this.#next = 0;
  }
}

/**
 * `torch.randn(count, generator=torch.Generator("cpu").manual_seed(seed))`.
 * @param seed a whole number from 0 to 2^53 - 1
 * @returns float32 numbers, within 5e-7 of PyTorch's
 */
export const randomNormal = (count: number, seed: number): Float32Array => new NormalStream(seed).draw(count);

/** One draw of `torch.randn` after the other, from one generator. */
export class NormalStream {
  readonly #generator: MersenneTwister;
  /** The second number of a pair, drawn by a call for few numbers and left for the next such call. */
  #left: number | undefined;

  /** @param seed a whole number from 0 to 2^53 - 1 */
  constructor(seed: number) {
    this.#generator = new MersenneTwister(seed);
  }

  /** `torch.randn(count)`. */
  draw(count: number): Float32Array {
    return count < BLOCK ? this.#few(count) : manyNormals(count, this.#generator);
  }

  /** The Box-Muller transform in float64; each pair of uniform numbers gives two results. */
  #few(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => {
      const left = this.#left;
      this.#left = undefined;
      if (left !== undefined) return left;
      const angle = 2 * Math.PI * uniform53(this.#generator);
      const radius = Math.sqrt(-2 * Math.log1p(-uniform53(this.#generator)));
      this.#left = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    });
  }
}

/** Blocks of 16: the first eight uniform numbers of a block give the radii, the other eight the angles. */
function manyNormals(count: number, generator: MersenneTwister): Float32Array {
  const values = new Float32Array(count);
  for (let index = 0; index < count; index += 1) values[index] = uniform24(generator);
  for (let start = 0; start + BLOCK <= count; start += BLOCK) toNormal(values, start);
  if (count % BLOCK !== 0) {
    // The last block overlaps the one before it and is drawn again.
    const start = count - BLOCK;
    for (let index = start; index < count; index += 1) values[index] = uniform24(generator);
    toNormal(values, start);
  }
  return values;
}

/** The Box-Muller transform in float32, in place. */
function toNormal(values: Float32Array, start: number): void {
  const { fround } = Math;
  for (let index = start; index < start + BLOCK / 2; index += 1) {
    const u1 = fround(1 - values[index]!);
    const radius = fround(Math.sqrt(fround(-2 * fround(Math.log(u1)))));
    const angle = fround(fround(2 * Math.PI) * values[index + BLOCK / 2]!);
    values[index] = radius * fround(Math.cos(angle));
    values[index + BLOCK / 2] = radius * fround(Math.sin(angle));
  }
}

/** [0, 1) in steps of 2^-24. */
const uniform24 = (generator: MersenneTwister): number => (generator.next() & 0xffffff) * 2 ** -24;

/** [0, 1) in steps of 2^-53: the low 53 bits of two draws, the first of which is the high word. */
function uniform53(generator: MersenneTwister): number {
  const high = generator.next() & 0x1fffff;
  return (high * 2 ** 32 + generator.next()) * 2 ** -53;
}
