/** The lines of the comparison by drawn cases. */
import { isMiss, KINDS, LATENTS_DB, type Outcome } from "./outcome.ts";

/** Of those that the reference runs. */
const MAX_REFUSED_SHARE = 0.02;

export const lineOf = ({ index, kind, what }: Outcome): string =>
  `case ${index}: ${kind}: ${what.split("\n").slice(0, 3).join(" | ").slice(0, 400)}`;

export const settingsOf = ({ odd }: Outcome): string =>
  Object.entries(odd)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(" ");

/** The figures, and whether they are what they have to be. */
export function summaryOf(outcomes: readonly Outcome[], seed: number): { text: string; isGood: boolean } {
  const count = (kind: Outcome["kind"]): number => outcomes.filter((one) => one.kind === kind).length;
  const compared = outcomes.filter(({ decibels }) => !Number.isNaN(decibels));
  const worst = compared.toSorted((a, b) => a.decibels - b.decibels)[0];
  const numRun = compared.length + count("without numbers") + count("refused by us alone");
  const share = numRun === 0 ? 0 : count("refused by us alone") / numRun;
  const good = compared.filter(({ kind }) => kind === "equal").map(({ decibels }) => decibels);
  const lines = [
    `${outcomes.length} cases of seed ${seed}`,
    ...KINDS.map((kind) => `  ${kind.padEnd(20)} ${count(kind)}`),
    `Refused by us of those that the reference runs: ${(100 * share).toFixed(1)} % (at most ${100 * MAX_REFUSED_SHARE} %).`,
    `Lowest of the equal ones: ${good.length > 0 ? Math.min(...good).toFixed(1) : "-"} dB (at least ${LATENTS_DB}).`,
    ...(worst ? [`The worst is case ${worst.index}, ${worst.decibels.toFixed(1)} dB: ${settingsOf(worst)}`] : []),
  ];
  const isGood = count("silent miss") + count("fault") === 0 && share <= MAX_REFUSED_SHARE;
  return { text: lines.join("\n"), isGood };
}

/** The misses that shrinking left, those with the same fields together. */
export function groupsOf(outcomes: readonly Outcome[]): string {
  const groups = new Map<string, Outcome[]>();
  for (const outcome of outcomes.filter(isMiss)) {
    const key = `${outcome.kind}: ${Object.keys(outcome.odd).join(", ") || "nothing unusual"}`;
    groups.set(key, [...(groups.get(key) ?? []), outcome]);
  }
  return [...groups]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([key, of]) => `${of.length} x ${key}\n    e.g. ${lineOf(of[0]!)}\n    with ${settingsOf(of[0]!)}`)
    .join("\n");
}
