/**
 * Gives up waiting for `work` after `ms`, which may be infinite; the work itself goes on.
 * @param late makes the error of a wait that was given up
 */
export async function within<Result>(ms: number, work: Promise<Result>, late: () => Error): Promise<Result> {
  if (ms === Infinity) return work;
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([work, silence]);
  } finally {
    clearTimeout(timer);
  }
}
