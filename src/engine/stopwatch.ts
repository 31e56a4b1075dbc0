/** How long each part of an edit takes. */

/** The parts of an edit, in their order. */
export const EDIT_PARTS = [
  /** From the images' files to pictures. */
  "read",
  "texts",
  "references",
  "denoise",
  /** From latents to a picture at working size. */
  "decode",
  /** To the size and colours of the result, with what is kept of the first image. */
  "enlarge",
  /** The safety check. */
  "check",
  /** From the result to its file; where that goes on beside the check, what it takes longer. */
  "encode",
] as const;
export type EditPart = (typeof EDIT_PARTS)[number];

/** Seconds; what is in none of the parts, such as loading networks, is not counted. */
export type PartSeconds = Readonly<Record<EditPart, number>>;

export class Stopwatch {
  readonly #seconds = Object.fromEntries(EDIT_PARTS.map((part) => [part, 0])) as Record<EditPart, number>;
  #total = 0;

  get seconds(): PartSeconds {
    return { ...this.#seconds };
  }

  /** Measures a part, without the parts inside of it. What was measured of it before is added. */
  async time<Result>(part: EditPart, work: () => Promise<Result>): Promise<Result> {
    const started = performance.now();
    const before = this.#total;
    try {
      return await work();
    } finally {
      const inside = this.#total - before;
      this.add(part, (performance.now() - started) / 1000 - inside);
    }
  }

  /** Adds what was measured elsewhere. */
  add(part: EditPart, seconds: number): void {
    this.#seconds[part] += seconds;
    this.#total += seconds;
  }
}
