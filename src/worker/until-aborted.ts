/**
 * Waits for work that takes no signal, and stops waiting when `signal` aborts; the work itself goes on.
 * @returns undefined if the signal came first
 */
export function untilAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result | undefined> {
  return new Promise((resolve, reject) => {
    // Not a race with a promise for the signal: a long-lived signal would collect a listener for every wait.
    const stop = (): void => resolve(undefined);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
