/**
 * How long runs of the transformer take with so many images, by the shape of an image: what is found while edits are made,
 * since every run that is measured is one that an edit needs.
 */

/** Numbers of images that runs are measured with, beside one. */
export const BATCH_SIZES = [2, 4] as const;
/**
 * Runs of each size before one is chosen; the fastest counts, since anything else that the processor does adds time. They
 * follow each other: each size has a graph of its own, with weights that the other's have driven out of the caches.
 */
export const RUNS_OF_SIZE = 5;
/** Of the time that its images take alone: what a batch must stay below. */
const WORTH = 0.97;
/** A run of one image that takes longer keeps the processor's caches full by itself: batches are not tried. */
const MOST_SECONDS_ALONE = 5;

/** Runs with so many images. */
export interface SizeSpeed {
  size: number;
  /** Of the fastest run. */
  seconds: number;
  runs: number;
}

/** What is known of images of one shape. */
export interface ShapeSpeeds {
  shape: string;
  sizes: readonly SizeSpeed[];
  /** Sizes in which an image did not have the bits that it has alone. */
  unequal: readonly number[];
}

interface Found {
  sizes: Map<number, SizeSpeed>;
  /** Whether images had the bits that they have alone, by the sizes that were compared. */
  areEqual: Map<number, boolean>;
}

export class BatchSpeeds {
  readonly #shapes = new Map<string, Found>();
  readonly #isForced: boolean;

  /** @param options.isForced always the most images, where their bits are equal @default what is measured to be fastest */
  constructor({ isForced = false }: { isForced?: boolean } = {}) {
    this.#isForced = isForced;
  }

  /** Takes over what was found before. */
  learn(known: readonly ShapeSpeeds[]): void {
    for (const { shape, sizes, unequal } of known) {
      this.#shapes.set(shape, {
        sizes: new Map(sizes.map((one) => [one.size, { ...one }])),
        areEqual: new Map([
          ...sizes.filter(({ size }) => size > 1).map(({ size }) => [size, true] as const),
          ...unequal.map((size) => [size, false] as const),
        ]),
      });
    }
  }

  /** What was found, of each shape. */
  get found(): ShapeSpeeds[] {
    return [...this.#shapes].map(([shape, { sizes, areEqual }]) => ({
      shape,
      sizes: [...sizes.values()].toSorted((one, other) => one.size - other.size),
      unequal: [...areEqual].filter(([, isEqual]) => !isEqual).map(([size]) => size),
    }));
  }

  /** The size whose images are to be compared with the same ones alone before it is used, if there is one. */
  toCompare(shape: string, most: number): number | undefined {
    if (this.#isSlow(shape)) return undefined;
    return sizesUpTo(most).find((size) => this.#of(shape).areEqual.get(size) === undefined);
  }

  compared(shape: string, size: number, areEqual: boolean): void {
    this.#of(shape).areEqual.set(size, areEqual);
  }

  ran(shape: string, size: number, seconds: number): void {
    const { sizes } = this.#of(shape);
    const { seconds: least = Infinity, runs = 0 } = sizes.get(size) ?? {};
    sizes.set(size, { size, seconds: Math.min(least, seconds), runs: runs + 1 });
  }

  /** Whether anything but a run of one image was tried. */
  isKnown(shape: string): boolean {
    return this.#shapes.has(shape);
  }

  /** How many images the next run takes, of so many: the first size that still has to be measured, then the fastest. */
  next(shape: string, most: number): number {
    const usable = this.#usable(shape, most);
    if (this.#isForced) return usable.at(-1)!;
    const runsOf = (size: number): number => this.#of(shape).sizes.get(size)?.runs ?? 0;
    const unmeasured = usable.find((size) => runsOf(size) < RUNS_OF_SIZE);
    if (usable.length > 1 && unmeasured !== undefined) return unmeasured;
    return this.#fastest(shape, usable);
  }

  /** Whether nothing is left to be found of runs with up to so many images. */
  isSettled(shape: string, most: number): boolean {
    if (this.toCompare(shape, most) !== undefined) return false;
    const usable = this.#usable(shape, most);
    const runsOf = (size: number): number => this.#of(shape).sizes.get(size)?.runs ?? 0;
    return this.#isForced || usable.length === 1 || usable.every((size) => runsOf(size) >= RUNS_OF_SIZE);
  }

  #usable(shape: string, most: number): number[] {
    const { areEqual } = this.#of(shape);
    return [1, ...sizesUpTo(most).filter((size) => areEqual.get(size) === true)];
  }

  #fastest(shape: string, usable: readonly number[]): number {
    const { sizes } = this.#of(shape);
    const perImage = (size: number): number => (sizes.get(size)?.seconds ?? Infinity) / size;
    const best = usable.reduce((one, other) => (perImage(other) < perImage(one) ? other : one));
    return perImage(best) < WORTH * perImage(1) ? best : 1;
  }

  #isSlow(shape: string): boolean {
    return !this.#isForced && (this.#of(shape).sizes.get(1)?.seconds ?? 0) > MOST_SECONDS_ALONE;
  }

  #of(shape: string): Found {
    const known = this.#shapes.get(shape) ?? { sizes: new Map(), areEqual: new Map() };
    this.#shapes.set(shape, known);
    return known;
  }
}

const sizesUpTo = (most: number): number[] => BATCH_SIZES.filter((size) => size <= most);
