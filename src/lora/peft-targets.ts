/** Which modules a configuration of peft names (peft 0.21.2, `check_target_module_exists`). */
import { matchPatterns, wholePattern } from "./patterns.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Whether each of the names is among the targets. @throws Error with the sentence's end for a pattern */
export function isTargeted(fields: Fields, names: readonly string[]): boolean[] {
  const excluded = namedBy(fields["exclude_modules"], names);
  const targets = fields["target_modules"];
  if (typeof targets === "string") {
    const included = targets === "all-linear" ? names.map(() => true) : namedBy(targets, names);
    return names.map((_, index) => !excluded[index] && included[index]!);
  }
  const whole = new Set(Array.isArray(targets) ? targets : []);
  const ended = namedBy(targets, names);
  const inLayers = inLayersOf(fields, names);
  return names.map(
    (name, index) => !excluded[index] && (whole.has(name) || (ended[index]! && inLayers[index]!)),
  );
}

/** A text is one regular expression for the whole name; a list has names, or their ends after a dot. */
function namedBy(wanted: unknown, names: readonly string[]): boolean[] {
  if (typeof wanted === "string") {
    return matchPatterns([wholePattern(wanted)], names).map((index) => index >= 0);
  }
  const ends = (Array.isArray(wanted) ? wanted : []).filter((end): end is string => typeof end === "string");
  const whole = new Set(ends);
  return names.map((name) => whole.has(name) || ends.some((end) => name.endsWith(`.${end}`)));
}

/** The layer is the first number inside a name, after `layers_pattern` if there is one. */
function inLayersOf(fields: Fields, names: readonly string[]): boolean[] {
  const wanted = fields["layers_to_transform"];
  if (wanted === undefined || wanted === null || (Array.isArray(wanted) && wanted.length === 0)) {
    return names.map(() => true);
  }
  const layers = new Set<unknown>(Array.isArray(wanted) ? wanted : [wanted]);
  const given = fields["layers_pattern"] ?? [];
  const patterns: readonly unknown[] = Array.isArray(given) ? given : [given];
  return names.map((name) => {
    const parts = name.split(".");
    const isLayer = (part: string, index: number): boolean =>
      /^\d+$/.test(part) &&
      index < parts.length - 1 &&
      (patterns.length === 0 ? index > 1 : patterns.includes(parts[index - 1]));
    const layer = parts.find(isLayer);
    return layer !== undefined && layers.has(Number(layer));
  });
}
