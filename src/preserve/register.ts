/**
 * Finds how a result lies over its source: a shift and a scale along each axis, to a fraction of a pixel. Places of the source
 * are looked for in the result, and what most of them agree on is refined by Gauss-Newton (Lucas and Kanade 1981; Baker and
 * Matthews 2004), with Tukey's weights; what was edited is an outlier.
 */
import type { Plane } from "../images/plane.ts";
import { type Form, type Level, levelOf, type Motion, refined, scaledBy, STILL, supportOf } from "./align.ts";
import { fineOf } from "./detail.ts";
import { type Band, BANDS, featuresOf } from "./features.ts";
import { isWithin, placesFound, motionsOf } from "./hypotheses.ts";
import { IN_PLACE, type Placement } from "./placement.ts";
import { reducedPlane } from "./reduce-plane.ts";

/** The largest shift, as a share of a side, and the largest deviation of a scale from 1; beyond 3 %, with a margin. */
const MAX_SHARE = 0.036;
/** Longer side of the level at which places are looked for, where 3 % are five pixels. */
const COARSE = 160;
/** Longer side of the finest: more pixels add no accuracy, only time. */
const FINE = 512;
/** Longer side of the level at which motions are compared. */
const MIDDLE = 256;
/** How many motions of a form are followed. */
const CANDIDATES = 3;
/** A twentieth less for each number that a form leaves open. */
const WORTH: Record<Form, number> = { zoom: 0.95, shift: 0.9, stretch: 0.9, free: 0.8 };
/** Only detail is particular enough for four open numbers. */
const FORMS_OF: Record<Band, readonly Form[]> = {
  detail: ["zoom", "shift", "stretch", "free"],
  outlines: ["zoom", "shift", "stretch"],
  masses: ["zoom", "shift", "stretch"],
};
/** Share of the picture that a motion must explain, and how much more than in place. */
const LEAST_SUPPORT: Record<Band, number> = { detail: 0.002, outlines: 0.015, masses: 0.02 };
const CLEARLY: Record<Band, number> = { detail: 1.2, outlines: 1.3, masses: 1.2 };
/**
 * Of a motion that explains less than that, how much more than in place: where most of a picture was drawn anew, chance finds a
 * motion that explains half as much again (three of eight edits of a background that the shipped checkpoint made in place).
 */
const FAINT: Record<Band, number> = { detail: 0.01, outlines: 0.03, masses: 0.04 };
const CLEARLY_IF_FAINT = 2.5;
/** Share of the picture that matches in place from which nothing else is tried. */
const CERTAIN = 0.03;
/** Share of the mean square of fine detail below which a result was blurred. */
const SOFT = 0.5;
/** A displacement below this share of a working pixel is none: resampling would cost more than it. */
const LEAST_PIXELS = 0.12;

/**
 * @param source luminance, 0 to 255
 * @param result of the same size
 * @returns in place where nothing else is clearly better
 */
export function estimatePlacement(source: Plane, result: Plane): Placement {
  if (Math.min(source.width, source.height) < 24) return IN_PLACE;
  for (const band of BANDS) {
    // Only a blurred result has less in common with its source than what it lost.
    if (band === "masses" && !isSofter(result, source)) continue;
    const found = placementIn(band, source, result);
    if (found !== undefined) return found;
  }
  return IN_PLACE;
}

/** Whether most of the fine detail of a plane is missing in another. */
const isSofter = (result: Plane, source: Plane): boolean => fineness(result) < SOFT * fineness(source);

function fineness(plane: Plane): number {
  const fine = fineOf(plane);
  let sum = 0;
  for (let i = 0; i < fine.length; i++) sum += fine[i]! * fine[i]!;
  return sum / fine.length;
}

/** Undefined where the band does not tell. */
function placementIn(band: Band, source: Plane, result: Plane): Placement | undefined {
  const longer = Math.max(source.width, source.height);
  const levelAt = (side: number): Level => {
    const scale = Math.min(side / longer, 1);
    const [a, b] = [source, result].map((plane) => featuresOf(reducedPlane(plane, scale), band));
    return levelOf(a!, b!);
  };
  const coarse = levelAt(COARSE);
  const middle = levelAt(MIDDLE);
  const factor = middle.source.width / coarse.source.width;
  const places = placesFound(coarse, MAX_SHARE);
  const found = FORMS_OF[band].flatMap((form) => {
    const motions = motionsOf(places, coarse.source, { form, share: MAX_SHARE, count: CANDIDATES });
    const [best] = motions
      .map((motion) => improved(coarse, form, motion))
      .toSorted((a, b) => b.support - a.support);
    return best ? [improved(middle, form, scaledBy(best.motion, factor))] : [];
  });
  const [best] = found.toSorted((a, b) => worthOf(b) - worthOf(a));
  const fine = levelAt(FINE);
  const still = supportOf(fine, STILL);
  if (best && best.support >= LEAST_SUPPORT[band]) {
    const toFine = fine.source.width / middle.source.width;
    const { motion, support } = improved(fine, best.form, scaledBy(best.motion, toFine));
    const isFaint = support < FAINT[band];
    if (support > (isFaint ? CLEARLY_IF_FAINT : CLEARLY[band]) * still) {
      return placementOf(scaledBy(motion, source.width / fine.source.width), source);
    }
  }
  return still > CERTAIN ? IN_PLACE : undefined;
}

interface Supported {
  form: Form;
  motion: Motion;
  support: number;
}

/** Of motions that match about equally, the simpler one is likelier. */
const worthOf = ({ form, support }: Supported): number => support * WORTH[form];

/** After some steps, if they lead to a better match. */
function improved(level: Level, form: Form, motion: Motion): Supported {
  const better = refined(level, motion, form);
  const { width, height } = level.source;
  const isPlausible =
    isWithin(better.x, better.stretchX, MAX_SHARE * width) &&
    isWithin(better.y, better.stretchY, MAX_SHARE * height);
  const [support, before] = [isPlausible ? supportOf(level, better) : 0, supportOf(level, motion)];
  return support > before ? { form, motion: better, support } : { form, motion, support: before };
}

function placementOf(motion: Motion, { width, height }: Plane): Placement {
  const far = Math.max(
    Math.abs(motion.x) + Math.abs(motion.stretchX),
    Math.abs(motion.y) + Math.abs(motion.stretchY),
  );
  if (far < LEAST_PIXELS) return IN_PLACE;
  // x + motion.x + stretchX * (x - width / 2) / (width / 2)
  return {
    scaleX: 1 + (2 * motion.stretchX) / width,
    shiftX: motion.x - motion.stretchX,
    scaleY: 1 + (2 * motion.stretchY) / height,
    shiftY: motion.y - motion.stretchY,
  };
}
