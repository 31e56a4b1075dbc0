/** The noise of an image that was drawn together with others: PyTorch draws all of a batch at once. */
import { NormalStream } from "./random.ts";

/** Which image of how many that share their draws. */
export interface BatchPlace {
  /** 0 to `of` - 1. */
  index: number;
  of: number;
}

export const ALONE: BatchPlace = { index: 0, of: 1 };

export class BatchNoise {
  readonly #stream: NormalStream;
  readonly #count: number;
  readonly #place: BatchPlace;

  /** @param count numbers of one image */
  constructor(seed: number, count: number, place: BatchPlace) {
    this.#stream = new NormalStream(seed);
    this.#count = count;
    this.#place = place;
  }

  /** This image's part of the next draw. */
  next(): Float32Array {
    const { index, of } = this.#place;
    return this.#stream.draw(this.#count * of).slice(this.#count * index, this.#count * (index + 1));
  }

  /** Passes over a draw for one image alone. */
  skipOne(): void {
    this.#stream.draw(this.#count);
  }

  /** Passes over draws that an earlier run used. */
  skip(draws: number): void {
    for (let draw = 0; draw < draws; draw += 1) this.#stream.draw(this.#count * this.#place.of);
  }
}
