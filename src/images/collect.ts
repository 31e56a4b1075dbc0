import { failure, RetouchError } from "../errors.ts";

/**
 * Joins the chunks of a stream, counting as they arrive, so that an endless one is abandoned after `maxBytes`.
 * @throws RetouchError IMAGE_TOO_LARGE
 */
export async function collectBytes(
  chunks: AsyncIterable<Uint8Array>,
  limits: { name: string; maxBytes: number; signal?: AbortSignal | undefined },
): Promise<Uint8Array> {
  const { name, maxBytes, signal } = limits;
  const parts: Uint8Array[] = [];
  let byteCount = 0;
  const iterator = chunks[Symbol.asyncIterator]();
  let onAbort!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason);
  });
  // When the signal comes, nobody may be listening any more.
  aborted.catch(() => {});
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    for (;;) {
      // A stream such as standard input may stay silent for ever, and knows nothing of the signal.
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done) break;
      byteCount += next.value.byteLength;
      if (byteCount > maxBytes) throw tooLarge(name, maxBytes);
      parts.push(next.value);
    }
  } catch (error) {
    // Not awaited: closing would wait for the very chunk that does not come.
    void iterator.return?.().catch(() => {});
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
  return Buffer.concat(parts, byteCount);
}

/** The error for an image of more than `maxBytes`. @param source its path or URL, if it has one */
export function tooLarge(source: string | undefined, maxBytes: number): RetouchError {
  const size =
    maxBytes >= 2 ** 20 && maxBytes % 2 ** 20 === 0 ? `${maxBytes / 2 ** 20} MiB` : `${maxBytes} bytes`;
  return new RetouchError("IMAGE_TOO_LARGE", failure("imageBytes", { source, max: size }));
}
