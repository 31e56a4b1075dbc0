/** Finds which of a case's unusual fields a miss needs. */
import type { Outcome } from "./outcome.ts";

/**
 * Leaves out as many unusual fields as the miss stays the same without: half of them at once, then half of a half.
 * @param again runs the case with these fields unusual and all others plain
 * @returns the smallest case that was found
 */
export async function shrink(
  first: Outcome,
  again: (unusual: readonly string[]) => Promise<Outcome>,
): Promise<Outcome> {
  let found = first;
  const leaveOut = async (names: readonly string[]): Promise<void> => {
    const rest = Object.keys(found.odd).filter((name) => !names.includes(name));
    const outcome = await again(rest);
    if (isSame(outcome, first)) found = outcome;
    else if (names.length > 1) {
      const middle = Math.ceil(names.length / 2);
      await leaveOut(names.slice(0, middle));
      await leaveOut(names.slice(middle));
    }
  };
  await leaveOut(Object.keys(first.odd));
  return found;
}

/** The same kind, and for a refusal the same sentence but for its numbers and names. */
function isSame(outcome: Outcome, first: Outcome): boolean {
  const beginning = ({ what }: Outcome): string => what.replaceAll(/\d+/g, "#").slice(0, 60);
  if (outcome.kind !== first.kind) return false;
  return !Number.isNaN(first.decibels) || beginning(outcome) === beginning(first);
}
