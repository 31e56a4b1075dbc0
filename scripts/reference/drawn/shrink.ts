/** Finds which of a case's unusual fields a miss needs. */
import type { Outcome } from "./outcome.ts";
import type { Fixed } from "./protocol.ts";

/** Runs the case again with fields fixed, and gives what becomes of it and the plain values of its fields. */
export type Again = (fixed: Fixed) => Promise<{ outcome: Outcome; plain: Fixed }>;

/**
 * Sets back to plain as many fields as the miss stays the same with; half of them at once, then half of a half.
 * @returns the smallest case that was found, and what it is run with
 */
export async function shrink(
  first: Outcome,
  plain: Fixed,
  fixed: Fixed,
  again: Again,
): Promise<{ outcome: Outcome; fixed: Fixed }> {
  let found = { outcome: first, fixed };
  const reset = async (names: readonly string[]): Promise<void> => {
    const left = names.filter((name) => name in found.outcome.odd);
    if (left.length === 0) return;
    const tried = { ...found.fixed, ...Object.fromEntries(left.map((name) => [name, plain[name]])) };
    const { outcome } = await again(tried);
    if (isSame(outcome, first)) found = { outcome, fixed: tried };
    else if (left.length > 1) {
      const middle = Math.ceil(left.length / 2);
      await reset(left.slice(0, middle));
      await reset(left.slice(middle));
    }
  };
  await reset(Object.keys(first.odd));
  return found;
}

/** The same kind, and for a refusal the same sentence but for its numbers and names. */
function isSame(outcome: Outcome, first: Outcome): boolean {
  const beginning = ({ what }: Outcome): string => what.replaceAll(/\d+/g, "#").slice(0, 60);
  if (outcome.kind !== first.kind) return false;
  return !Number.isNaN(first.decibels) || beginning(outcome) === beginning(first);
}
