/**
 * Waits for work that knows no signal, and stops waiting when `signal` comes; the work goes on by itself.
 * @returns undefined where the signal came first
 */
export function untilAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result | undefined> {
  return new Promise((resolve, reject) => {
    // Not a race with a promise of the signal: one that lives long would collect a listener for every wait.
    const stop = (): void => resolve(undefined);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
