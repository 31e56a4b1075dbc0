/**
 * Edits that run in one turn of their engine, so that runs of the transformer can take the images of all of them (dynamic
 * batching). They share what an engine has one of, the memory plan and what is computed in, so only edits of one extent run
 * together; any other one runs alone after them.
 */
import { throwIfAborted, unlessAborted } from "./abort.ts";
import type { Lane, Party } from "./batches/batcher.ts";
import type { EditExtent } from "./extent.ts";
import type { Turns } from "./turns.ts";

/** How long the first edit of a group waits for the others, milliseconds. */
const MOST_WAIT_MS = 20;

/** Thrown into an edit that cannot run with the others of its group: it is to run again, alone. */
export class NotTogether extends Error {
  constructor() {
    super("This edit cannot run together with the others.");
  }
}

/** The place of one edit in a group. */
export interface GroupPlace {
  /**
   * Runs `work` together with what the others have come to run by the group's turn, and again if it throws
   * {@link NotTogether}. An edit that comes later than 20 ms after the first has a turn of its own.
   * @throws RetouchError ABORTED by `signal` while it waits; what `work` throws
   */
  run<Result>(
    turns: Turns,
    signal: AbortSignal | undefined,
    work: (member: GroupMember) => Promise<Result>,
  ): Promise<Result>;
  /** The edit will not come: the others need not wait for it. */
  leave(): void;
}

/** Runs an edit in a turn of its own, or in that of its group. */
export const inTurn = <Result>(
  turns: Turns,
  { signal, group }: { signal?: AbortSignal | undefined; group?: GroupPlace | undefined },
  work: (member?: GroupMember) => Promise<Result>,
): Promise<Result> => (group ? group.run(turns, signal, work) : turns.take(signal, () => work()));

/** One of the edits that run together, in their turn. */
export interface GroupMember {
  /** How many there are; 1 if it runs alone. */
  readonly size: number;
  /** @throws NotTogether unless it is alone */
  mustBeAlone(): void;
  /**
   * Waits until the members before it have done this or ended.
   * @throws NotTogether if its extent is another than theirs
   */
  agree(extent: EditExtent): Promise<void>;
  /** Where the images of all meet; the first one makes it. */
  party<Input>(make: (isComplete: () => boolean) => Party<Input>): Pick<Party<Input>, "enter" | "close">;
}

/**
 * A group of so many edits; each takes one place.
 * @example
 * const group = new EditGroup(2);
 * const edit = (prompt: string) => engine.edit({ image, prompt }, { group: group.place() });
 * const [night, winter] = await Promise.all([edit("Make it night"), edit("Make it winter")]);
 */
export class EditGroup {
  #missing: number;
  #comers: (() => Promise<unknown>)[] = [];
  #turn: Promise<void> | undefined;
  #together: Together | undefined;
  #complete: () => void = () => {};

  constructor(size = 1) {
    this.#missing = size;
  }

  place(): GroupPlace {
    let isCounted = false;
    const count = (): void => {
      if (isCounted) return;
      isCounted = true;
      this.#missing -= 1;
      if (this.#missing === 0) this.#complete();
    };
    return {
      leave: count,
      run: async (turns, signal, work) => {
        const alone = (): ReturnType<typeof work> => turns.take(signal, () => work(new Together(1).member()));
        if (this.#together !== undefined) return alone();
        const working = this.#comeBy(turns, signal, work);
        count();
        return working.catch((error: unknown) => {
          if (error instanceof NotTogether) return alone();
          throw error;
        });
      },
    };
  }

  #comeBy<Result>(
    turns: Turns,
    signal: AbortSignal | undefined,
    work: (member: GroupMember) => Promise<Result>,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const comer = async (): Promise<void> => {
        const together = this.#together!;
        const member = together.member();
        try {
          throwIfAborted(signal);
          resolve(await work(member));
        } catch (error) {
          reject(error as Error);
        } finally {
          member.end();
        }
      };
      this.#comers.push(comer);
      this.#turn ??= turns.take(undefined, () => this.#runAll());
      // Whoever stops waiting ends before its turn; so do all if the engine is closed.
      const begun = this.#turn.catch(reject);
      unlessAborted(begun, signal).catch((error: unknown) => {
        if (this.#together === undefined) {
          this.#comers = this.#comers.filter((one) => one !== comer);
          reject(error as Error);
        }
      });
    });
  }

  async #runAll(): Promise<void> {
    if (this.#missing > 0) {
      let waited: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#complete = resolve;
        waited = setTimeout(resolve, MOST_WAIT_MS);
      });
      clearTimeout(waited);
    }
    const comers = this.#comers;
    this.#together = new Together(comers.length);
    await Promise.all(comers.map((comer) => comer()));
  }
}

/** What the edits of one turn share. */
class Together {
  readonly #size: number;
  /** Members that have not begun to draw, and may. */
  #expected: number;
  /** Resolves once the latest member, and all before it, have said what their extent is, or ended. */
  #agreed: Promise<unknown> = Promise.resolve();
  #extent: string | undefined;
  #party: Party<unknown> | undefined;

  constructor(size: number) {
    this.#size = size;
    this.#expected = size;
  }

  member(): GroupMember & { end(): void } {
    let isExpected = true;
    const lanes: Lane<unknown>[] = [];
    const expectNoMore = (): void => {
      if (!isExpected) return;
      isExpected = false;
      this.#expected -= 1;
    };
    const size = this.#size;
    const before = this.#agreed;
    let agreed = (): void => {};
    const own = new Promise<void>((resolve) => (agreed = resolve));
    this.#agreed = before.then(() => own);
    return {
      size,
      mustBeAlone() {
        if (size > 1) throw new NotTogether();
      },
      agree: async (extent) => {
        await before;
        const text = JSON.stringify(extent);
        this.#extent ??= text;
        agreed();
        if (text !== this.#extent) throw new NotTogether();
      },
      party: <Input>(make: (isComplete: () => boolean) => Party<Input>) => {
        // All members are of one model, and of one engine.
        const party = (this.#party ??= make(() => this.#expected === 0) as Party<unknown>) as Party<Input>;
        return {
          enter(signal) {
            const lane = party.enter(signal);
            lanes.push(lane as Lane<unknown>);
            expectNoMore();
            return lane;
          },
          close: () => party.close(lanes.splice(0) as Lane<Input>[]),
        };
      },
      end: () => {
        agreed();
        expectNoMore();
        this.#party?.close(lanes.splice(0));
      },
    };
  }
}
