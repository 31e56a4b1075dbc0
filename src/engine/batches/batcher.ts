/**
 * Where images that are drawn at a time meet, those of one edit or of several: what they ask of the transformer, and both
 * passes of each, is answered by as few runs as was measured to be fastest, if each gets the bits that it gets alone.
 * Samplers, caches and masks know nothing of it.
 */
import { throwIfAborted } from "../abort.ts";
import { MAX_IMAGES } from "../../models/transformers/image-batch.ts";
import type { BatchSpeeds } from "./batch-speeds.ts";

/** What an image's next velocity follows from. */
export interface Question<Input> {
  /** Questions of one shape can be answered by one run. */
  shape: string;
  /** What one run takes for all of its images, such as the adapters: questions that differ in it never share a run. */
  shared?: object | undefined;
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

/** The images that are drawn at a time. */
export interface Party<Input> {
  /** @param signal of the image's edit */
  enter(signal?: AbortSignal): Lane<Input>;
  /** Ends these lanes at once; what they still ask is refused. @default all lanes */
  close(lanes?: Iterable<Lane<Input>>): void;
}

export interface PartyOptions {
  /** How many images a run may have. @default 1 */
  most?: number | undefined;
  /** Whether nobody is waited for who has not entered yet. @default nobody ever is */
  isComplete?: (() => boolean) | undefined;
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
  signal: AbortSignal | undefined;
  resolve: (answers: Float32Array[]) => void;
  reject: (error: unknown) => void;
}

interface OpenParty<Input> {
  most: number;
  isComplete: () => boolean;
  /** What each asks, once it does. */
  lanes: Map<Lane<Input>, Waiting<Input> | undefined>;
}

export class Batcher<Input> {
  readonly #options: BatcherOptions<Input>;
  constructor(options: BatcherOptions<Input>) {
    this.#options = options;
  }

  party({ most = 1, isComplete = () => true }: PartyOptions = {}): Party<Input> {
    const party: OpenParty<Input> = { most, isComplete, lanes: new Map() };
    const consider = (): void => this.#consider(party);
    const end = (lane: Lane<Input>): void => {
      party.lanes.get(lane)?.reject(ended());
      party.lanes.delete(lane);
    };
    return {
      enter: (signal) => {
        const lane: Lane<Input> = {
          ask: (questions) =>
            new Promise((resolve, reject) => {
              if (!party.lanes.has(lane)) return reject(ended());
              party.lanes.set(lane, { questions, signal, resolve, reject });
              consider();
            }),
          leave() {
            end(lane);
            consider();
          },
        };
        party.lanes.set(lane, undefined);
        return lane;
      },
      close(lanes = party.lanes.keys()) {
        for (const lane of lanes) end(lane);
        // Others may have waited for these.
        consider();
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
    if (party.lanes.size === 0 || !party.isComplete()) return;
    const asked = [...party.lanes.values()].filter((waiting) => waiting !== undefined);
    if (asked.length < party.lanes.size) return;
    for (const lane of party.lanes.keys()) party.lanes.set(lane, undefined);
    void this.#answer(party, asked);
  }

  /** Never rejects: what fails is told to those who asked. */
  async #answer({ most }: OpenParty<Input>, asked: readonly Waiting<Input>[]): Promise<void> {
    const runs: { shape: string; shared: object | undefined; pending: Pending<Input>[] }[] = [];
    const all: Pending<Input>[][] = asked.map(({ questions, signal }) =>
      questions.map(({ shape, shared, input }) => {
        const pending = { input, signal, answer: undefined, error: undefined };
        const known = runs.find((run) => run.shape === shape && run.shared === shared);
        if (known) known.pending.push(pending);
        else runs.push({ shape, shared, pending: [pending] });
        return pending;
      }),
    );
    for (const { shape, pending } of runs) await this.#runAll(shape, pending, most);
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
    if (atOnce === 1) return this.#runAlone(shape, pending);
    if (speeds.isSettled(shape, atOnce)) return this.#runBatches(shape, pending, atOnce);
    const compared = speeds.toCompare(shape, atOnce);
    if (compared === undefined) await this.#runBatches(shape, pending, atOnce);
    else await this.#compare(shape, pending, compared);
    if (speeds.isSettled(shape, atOnce)) onSettled?.();
  }

  /** What is known of a shape gets better by runs that had nothing to choose, too. */
  async #runAlone(shape: string, pending: readonly Pending<Input>[]): Promise<void> {
    const { speeds, onSettled } = this.#options;
    for (const one of pending) {
      const seconds = await this.#runOne([one]);
      if (seconds === undefined || !speeds.isKnown(shape)) continue;
      const before = speeds.next(shape, MAX_IMAGES);
      speeds.ran(shape, 1, seconds);
      if (speeds.next(shape, MAX_IMAGES) !== before) onSettled?.();
    }
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
    // Now it is known how long one takes: of large images, several are not even tried.
    if (speeds.toCompare(shape, size) === undefined) return;
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

const ended = (): Error => new Error("The image is no longer drawn.");

/** Whether two arrays have the same bits. */
function hasBits(one: Float32Array, other: Float32Array): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
    new Uint8Array(buffer, byteOffset, byteLength);
  return Buffer.compare(bytes(one), bytes(other)) === 0;
}
