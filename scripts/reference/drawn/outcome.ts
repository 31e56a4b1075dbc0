/** What became of a case on both sides. */
import type { Decibels, DrawnCase, OurAnswer, ReferenceAnswer } from "./protocol.ts";

/** Latents below this differ by more than the order of sums. */
export const LATENTS_DB = 75;
/** A picture's numbers may be rounded to the other integer, and the decoder magnifies. */
export const PICTURE_DB = 50;

/** Other notices say nothing of a difference, such as that a text is too long: the reference cuts it, too. */
const SAYS_DIFFERENCE = /no effect/;

export const KINDS = [
  "equal",
  "refused by both",
  "without numbers",
  "silent miss",
  "miss with a notice",
  "refused by us alone",
  "run by us alone",
  "fault",
] as const;

export interface Outcome {
  index: number;
  kind: (typeof KINDS)[number];
  /** Of the latents; NaN if they were not compared. */
  decibels: number;
  /** One sentence or two for people. */
  what: string;
  odd: Readonly<Record<string, unknown>>;
}

export function outcomeOf(index: number, reference: ReferenceAnswer, ours: OurAnswer | undefined): Outcome {
  const none = { index, decibels: Number.NaN, odd: "odd" in reference ? reference.odd : {} };
  if ("fault" in reference) return { ...none, kind: "fault", what: `the reference: ${reference.fault}` };
  if (ours === undefined || "fault" in ours) {
    return { ...none, kind: "fault", what: `ours: ${ours?.fault ?? "no answer"}` };
  }
  if (!ours.ran) return { ...none, ...refused(reference, ours.refusal) };
  if (reference.refusal !== undefined) {
    return { ...none, kind: "run by us alone", what: `the reference says ${reference.refusal}` };
  }
  const { latents, picture, notices } = ours;
  if (latents === "none") return { ...none, kind: "without numbers", what: "the reference gives no numbers" };
  const decibels = numberOf(latents);
  const what = `latents ${shown(latents)}, picture ${shown(picture)}${notices.length > 0 ? `; ${notices.join(" ")}` : ""}`;
  if (decibels >= LATENTS_DB && numberOf(picture) >= PICTURE_DB) return { ...none, decibels, kind: "equal", what };
  const isSaid = notices.some((notice) => SAYS_DIFFERENCE.test(notice));
  return { ...none, decibels, kind: isSaid ? "miss with a notice" : "silent miss", what };
}

function refused({ refusal }: DrawnCase, ours: string): Pick<Outcome, "kind" | "what"> {
  if (refusal === undefined) return { kind: "refused by us alone", what: ours };
  return { kind: "refused by both", what: `${ours} The reference: ${refusal}` };
}

const numberOf = (decibels: Decibels): number =>
  decibels === "equal" ? Infinity : decibels === "none" ? Number.NaN : decibels;

const shown = (decibels: Decibels): string =>
  typeof decibels === "number" ? `${decibels.toFixed(1)} dB` : decibels;

/** Whether a case needs a line. */
export const isMiss = ({ kind }: Outcome): boolean =>
  kind !== "equal" && kind !== "refused by both" && kind !== "without numbers";
