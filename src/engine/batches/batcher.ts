/**
 * Where the images of an edit that are drawn at a time meet: what they ask of the transformer, and both passes of each, is
 * answered by as few runs as was measured to be fastest, if each gets the bits that it gets alone. Samplers, caches and masks
 * know nothing of it.
 */
import { throwIfAborted } from "../abort.ts";
import type { BatchSpeeds } from "./batch-speeds.ts";

/** What an image's next velocity follows from. */
export interface Question<Input> {
  /** Questions of one shape can be answered by one run. */
  shape: string;
  input: Input;
}

/** Answers in the order of the questions. */
export type Ask<Input> = (questions: readonly Question<Input>[]) => Promise<Float32Array[]>;

/** An image that is being drawn. */
export interface Lane<Input> {
  /** One call at a time. @throws RetouchError ABORTED by the signal of its edit */
  ask: Ask<Input>;
  /** Nobody waits for it any more. */
  leave(): void;
}

/** The images of an edit. */
export interface Party<Input> {
  enter(): Lane<Input>;
  /** Ends all lanes; what they still ask is refused. */
  close(): void;
}

export interface BatcherOptions<Input> {
  speeds: BatchSpeeds;
  /** One run of questions of one shape. */
  run: (inputs: readonly Input[]) => Promise<Float32Array[]>;
  /** Called when a shape's speeds are all known. */
  onSettled?: (() => void) | undefined;
}

interface Waiting<Input> {
  questions: readonly Question<Input>[];
  resolve: (answers: Float32Array[]) => void;
  reject: (error: unknown) => void;
}

interface OpenLane<Input> {
  waiting: Waiting<Input> | undefined;
}

interface OpenParty<Input> {
  signal: AbortSignal | undefined;
  most: number;
  lanes: Set<OpenLane<Input>>;
}

export class Batcher<Input> {
  readonly #options: BatcherOptions<Input>;
  constructor(options: BatcherOptions<Input>) {
    this.#options = options;
  }

  /**
   * @param signal of the edit
   * @param most how many images a run may have that it is part of
   */
  party(signal?: AbortSignal, most = 1): Party<Input> {
    const party: OpenParty<Input> = { signal, most, lanes: new Set() };
    const end = (lane: OpenLane<Input>): void => {
      lane.waiting?.reject(new Error("The image is no longer drawn."));
      lane.waiting = undefined;
      party.lanes.delete(lane);
    };
    return {
      enter: () => {
        const lane: OpenLane<Input> = { waiting: undefined };
        party.lanes.add(lane);
        return {
          ask: (questions) =>
            new Promise((resolve, reject) => {
              lane.waiting = { questions, resolve, reject };
              this.#consider(party);
            }),
          leave: () => {
            end(lane);
            this.#consider(party);
          },
        };
      },
      close: () => {
        for (const lane of party.lanes) end(lane);
      },
    };
  }

  /**
   * How many images of a shape are worth drawing at a time.
   * @param passes of each in a step
   * @param most of a run
   */
  lanesFor(shape: string, passes: number, most: number): number {
    const { speeds } = this.#options;
    const size = speeds.isSettled(shape, most) ? speeds.next(shape, most) : most;
    return Math.max(1, Math.floor(size / passes));
  }

  /** Answers what is asked once every image that is drawn asks. */
  #consider(party: OpenParty<Input>): void {
    const lanes = [...party.lanes];
    if (lanes.length === 0 || lanes.some(({ waiting }) => waiting === undefined)) return;
    const asked = lanes.map(({ waiting }) => waiting!);
    for (const lane of lanes) lane.waiting = undefined;
    void this.#answer(party, asked);
  }

  /** Never rejects: what fails is told to those who asked. */
  async #answer({ signal, most }: OpenParty<Input>, asked: readonly Waiting<Input>[]): Promise<void> {
    const shapes = new Map<string, Pending<Input>[]>();
    const all: Pending<Input>[][] = asked.map(({ questions }) =>
      questions.map(({ shape, input }) => {
        const pending = { input, signal, answer: undefined, error: undefined };
        shapes.set(shape, [...(shapes.get(shape) ?? []), pending]);
        return pending;
      }),
    );
    for (const [shape, pending] of shapes) await this.#runAll(shape, pending, most);
    for (const [index, { resolve, reject }] of asked.entries()) {
      const failed = all[index]!.find(({ answer }) => answer === undefined);
      if (failed) reject(failed.error);
      else resolve(all[index]!.map(({ answer }) => answer!));
    }
  }

  /** Answers questions of one shape in as many runs as are fastest. */
  async #runAll(shape: string, pending: readonly Pending<Input>[], most: number): Promise<void> {
    const { speeds, onSettled } = this.#options;
    const atOnce = Math.min(most, pending.length);
    if (atOnce === 1) {
      for (const one of pending) await this.#runOne([one]);
      return;
    }
    if (speeds.isSettled(shape, atOnce)) return this.#runBatches(shape, pending, atOnce);
    const compared = speeds.toCompare(shape, atOnce);
    if (compared === undefined) await this.#runBatches(shape, pending, atOnce);
    else await this.#compare(shape, pending, compared);
    if (speeds.isSettled(shape, atOnce)) onSettled?.();
  }

  async #runBatches(shape: string, pending: readonly Pending<Input>[], atOnce: number): Promise<void> {
    const { speeds } = this.#options;
    for (let from = 0; from < pending.length;) {
      const size = speeds.next(shape, Math.min(atOnce, pending.length - from));
      const batch = pending.slice(from, from + size);
      const seconds = await this.#runOne(batch);
      // A batch that failed, or lost an image meanwhile, tells nothing of its size.
      if (seconds !== undefined) speeds.ran(shape, size, seconds);
      from += size;
    }
  }

  /** Answers all alone, then has the first of them run together: the first run of a size also makes room for it. */
  async #compare(shape: string, pending: readonly Pending<Input>[], size: number): Promise<void> {
    const { speeds, run } = this.#options;
    for (const one of pending) {
      const seconds = await this.#runOne([one]);
      if (seconds !== undefined) speeds.ran(shape, 1, seconds);
    }
    const first = pending.slice(0, size);
    if (first.some(({ answer, signal }) => answer === undefined || signal?.aborted)) return;
    const together = await run(first.map(({ input }) => input)).catch(() => undefined);
    // What cannot be run together, such as for want of memory, is not tried again.
    const areEqual = together?.every((answer, index) => hasBits(answer, first[index]!.answer!)) ?? false;
    speeds.compared(shape, size, areEqual);
  }

  /** @returns seconds; undefined if some of it was not answered by this run */
  async #runOne(batch: readonly Pending<Input>[]): Promise<number | undefined> {
    for (const one of batch) {
      try {
        throwIfAborted(one.signal);
      } catch (error) {
        one.error = error;
      }
    }
    const wanted = batch.filter(({ error }) => error === undefined);
    if (wanted.length === 0) return undefined;
    const started = performance.now();
    try {
      const answers = await this.#options.run(wanted.map(({ input }) => input));
      for (const [index, one] of wanted.entries()) one.answer = answers[index]!;
      return wanted.length === batch.length ? (performance.now() - started) / 1000 : undefined;
    } catch (error) {
      // Such as for want of memory: each is tried alone.
      if (wanted.length > 1) for (const one of wanted) await this.#runOne([one]);
      else wanted[0]!.error = error;
      return undefined;
    }
  }
}

interface Pending<Input> {
  input: Input;
  signal: AbortSignal | undefined;
  answer: Float32Array | undefined;
  error: unknown;
}

/** Whether two arrays have the same bits. */
function hasBits(one: Float32Array, other: Float32Array): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
    new Uint8Array(buffer, byteOffset, byteLength);
  return Buffer.compare(bytes(one), bytes(other)) === 0;
}
