/** Several generators at a time, as one. */

/** A step of one of them. */
export interface StepOf<Step> {
  /** Which, 0 for the first. */
  index: number;
  step: Step;
}

/**
 * Yields the steps of generators as they come, those of equal pace in their order, and returns what each returned. A
 * generator is asked for its next step when the caller has done with the one before it.
 * @param begin makes them, one after the other
 * @param options.atOnce how many have begun at most and not ended
 * @param options.abandon called when one failed or the caller wants no more: it lets those that wait for something end
 */
export async function* sideBySide<Step, Result>(
  begin: readonly (() => AsyncGenerator<Step, Result>)[],
  { atOnce, abandon }: { atOnce: number; abandon: () => void },
): AsyncGenerator<StepOf<Step>, Result[]> {
  const results: Result[] = [];
  const active = new Map<number, Running<Step, Result>>();
  const ask = (index: number, steps: AsyncGenerator<Step, Result>): void => {
    // Asked last, it is looked at last.
    active.delete(index);
    const next = steps.next().then((result) => ({ index, steps, result }));
    // Nobody may wait for it any more.
    next.catch(() => {});
    active.set(index, { steps, next });
  };
  let begun = 0;
  try {
    for (;;) {
      for (; active.size < atOnce && begun < begin.length; begun += 1) ask(begun, begin[begun]!());
      if (active.size === 0) return results;
      const { index, steps, result } = await Promise.race([...active.values()].map(({ next }) => next));
      if (result.done) {
        results[index] = result.value;
        active.delete(index);
      } else {
        yield { index, step: result.value };
        ask(index, steps);
      }
    }
  } finally {
    if (active.size > 0) {
      abandon();
      await Promise.allSettled([...active.values()].map(({ steps }) => steps.return(undefined as never)));
    }
  }
}

interface Running<Step, Result> {
  steps: AsyncGenerator<Step, Result>;
  next: Promise<{ index: number; steps: AsyncGenerator<Step, Result>; result: IteratorResult<Step, Result> }>;
}
