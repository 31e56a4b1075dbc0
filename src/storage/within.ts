/** Gives up waiting after `ms`; the work itself goes on. @throws Error for the log, and what the work throws */
export function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`The storage did not answer in ${ms / 1000} seconds.`)),
      ms,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
