/**
 * The patterns of peft's configurations: regular expressions over the names of modules, of which the first that fits a
 * name counts (peft 0.21.2, `get_pattern_key`).
 */
import { Script } from "node:vm";

/** More than any published configuration has; each is compared with every module. */
export const MAX_PATTERNS = 10_000;
const MAX_PATTERN_CHARACTERS = 1000;
/** They come from a file, and one may be written to take for ever. */
const MATCHING_MS = 500;

/** In a script of its own, so that a time limit ends also a single comparison. */
const MATCHING = new Script(`
  const compiled = patterns.map((pattern) => new RegExp(pattern));
  names.map((name) => compiled.findIndex((pattern) => pattern.test(name)));
`);

/** A name as peft's patterns of ranks and alphas see it: with anything before a dot. */
export const suffixPattern = (pattern: string): string => `^(.*\\.)?(${pattern})$`;
/** As Python's `re.fullmatch`. */
export const wholePattern = (pattern: string): string => `^(?:${pattern})$`;

/**
 * For each name, the index of the first pattern that fits, or -1.
 * @throws Error with the sentence's end if the patterns cannot be used
 */
export function matchPatterns(patterns: readonly string[], names: readonly string[]): number[] {
  if (patterns.length > MAX_PATTERNS) {
    throw new Error(`has ${patterns.length} patterns; at most ${MAX_PATTERNS} are read`);
  }
  if (patterns.some((pattern) => pattern.length > MAX_PATTERN_CHARACTERS)) {
    throw new Error(`has a pattern of more than ${MAX_PATTERN_CHARACTERS} characters`);
  }
  if (patterns.length === 0) return names.map(() => -1);
  try {
    // Python writes names of groups in another way.
    const sources = patterns.map((pattern) => pattern.replaceAll("(?P<", "(?<"));
    const context = { patterns: sources, names: [...names] };
    return MATCHING.runInNewContext(context, { timeout: MATCHING_MS }) as number[];
  } catch (cause) {
    throw new Error("has patterns that are no regular expressions, or take too long", { cause });
  }
}
