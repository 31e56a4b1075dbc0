/** Weights that a file holds and a network does without. */

/** Buffers that training frameworks store although they follow from the configuration, or only count its steps. */
const DERIVED_KEYS = /(^|\.)(?:position_ids|num_batches_tracked)$/;
const SHOWN_KEYS = 3;

/** Whether nobody misses a key. */
export const isDerived = (key: string): boolean => DERIVED_KEYS.test(key);

/** What the user should know of them, as no sentence or one. @param name what a message calls the network or its file */
export function unusedNotice(name: string, keys: readonly string[]): string[] {
  if (keys.length === 0) return [];
  const more = keys.length > SHOWN_KEYS ? ` and ${keys.length - SHOWN_KEYS} more` : "";
  const shown = keys.slice(0, SHOWN_KEYS).join(", ");
  return [`${name}: the network does without ${shown}${more}, for which its configuration has no place.`];
}
