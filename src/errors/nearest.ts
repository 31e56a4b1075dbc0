/** Finds the name that somebody meant who misspelt it. */

/** More changes than this make another word, and so do more than half of its letters. */
const MAX_TYPOS = 3;
/** Nobody misspells a name of more characters than this, and comparing longer ones takes time. */
const MAX_LENGTH = 100;

/** The known name that is nearest to `name`, if it is near at all. */
export function nearestOf(name: string, known: Iterable<string>): string | undefined {
  if (name.length > MAX_LENGTH) return undefined;
  const most = Math.min(MAX_TYPOS, Math.floor(name.length / 2));
  let [nearest, least]: [string | undefined, number] = [undefined, most + 1];
  for (const candidate of known) {
    const changes = distance(candidate, name);
    if (changes < least) [nearest, least] = [candidate, changes];
  }
  return nearest;
}

/** Edit distance between two strings: insertions, deletions and substitutions. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [line, character] of [...from].entries()) {
    const next = [line + 1];
    for (let column = 1; column <= to.length; column += 1) {
      const substitution = row[column - 1]! + (to[column - 1] === character ? 0 : 1);
      next.push(Math.min(substitution, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
