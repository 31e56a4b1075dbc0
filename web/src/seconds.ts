/** Times as people say them. */

const MINUTE = 60;
/** Up to here, seconds say more than minutes. */
const MOST_SECONDS = 90;

/** Such as `0.4 s`, `12 s` and `3 min`. */
export function showSeconds(seconds: number): string {
  if (seconds >= MOST_SECONDS) return `${Math.ceil(seconds / MINUTE)} min`;
  if (seconds >= 10) return `${Math.ceil(seconds)} s`;
  return `${Number(seconds.toFixed(seconds < 1 ? 2 : 1))} s`;
}
