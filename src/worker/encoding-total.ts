/** What several engine processes, one after the other or side by side, count of the encodings that they keep. */
import type { EncodingCounts } from "../engine/encodings.ts";

const NO_ENCODINGS: EncodingCounts = { hits: 0, misses: 0, bytes: 0 };

/** Counts on when a process is replaced, whose own counts begin anew and whose memory is gone. */
export function createEncodingTotal() {
  let [before, now]: EncodingCounts[] = [NO_ENCODINGS, NO_ENCODINGS];
  const total = (): EncodingCounts => ({
    hits: before!.hits + now!.hits,
    misses: before!.misses + now!.misses,
    bytes: now!.bytes,
  });
  return {
    total,
    set: (counts: EncodingCounts): void => void (now = counts),
    restart: (): void => void ([before, now] = [total(), NO_ENCODINGS]),
  };
}

/** Of several engines, or pools of them, together. */
export function totalOfEncodings(owners: readonly { readonly encodings: EncodingCounts }[]): EncodingCounts {
  const sum = (name: keyof EncodingCounts): number =>
    owners.reduce((total, { encodings }) => total + encodings[name], 0);
  return { hits: sum("hits"), misses: sum("misses"), bytes: sum("bytes") };
}
