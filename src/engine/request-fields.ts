/** The fields of a request, and those that are none: they have no effect, and the result's notices say so. */
import { cutText, nearestOf, shownValue } from "../errors.ts";
import type { EditRequest } from "./request.ts";

/** A field without a line here does not compile. */
const FIELDS: Readonly<Record<keyof EditRequest, true>> = {
  image: true,
  images: true,
  imageLayout: true,
  mask: true,
  isTransparencyEdited: true,
  strength: true,
  paddingMaskCrop: true,
  maskBlur: true,
  maskFeather: true,
  prompt: true,
  prompt2: true,
  maxSequenceLength: true,
  negativePrompt: true,
  isEmptyNegativeUsed: true,
  trueCfgScale: true,
  size: true,
  sizeRule: true,
  numSteps: true,
  sampler: true,
  sigmas: true,
  guidance: true,
  acceleration: true,
  minPsnr: true,
  seed: true,
  numImages: true,
  format: true,
  outputQuality: true,
  background: true,
  isSafetyChecked: true,
  isUnchangedKept: true,
  preserve: true,
  isMaskWanted: true,
  loras: true,
  promptEmbeds: true,
  pooledPromptEmbeds: true,
  negativePromptEmbeds: true,
  negativePooledPromptEmbeds: true,
  latents: true,
  numImagesPerPrompt: true,
};

/** More than these are counted only: a request may have any number. */
const MAX_NAMED = 8;
const MAX_NAME_LENGTH = 60;

/** One sentence for each field of a request that the library does not know. */
export const unknownFields = (request: object): string[] => unknownNames(request, Object.keys(FIELDS));

/** The fields of a request among those of an object. */
export const knownFields = <Given extends object>(given: Given): Given =>
  Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(FIELDS, name))) as Given;

/**
 * One sentence for each name that is not known, with the known one that is nearest.
 * @param place what the names stand in, such as `policy.`
 */
export function unknownNames(given: object, known: readonly string[], place = ""): string[] {
  const names = Object.keys(given).filter(
    (name) => !known.includes(name) && (given as Record<string, unknown>)[name] !== undefined,
  );
  const sentences = names.slice(0, MAX_NAMED).map((name) => {
    const nearest = nearestName(name, known);
    const meant = nearest === undefined ? "" : `; did you mean ${place}${nearest}?`;
    return `${shownName(place + name)} is not known here and has no effect${meant || "."}`;
  });
  const more = names.length - MAX_NAMED;
  return more > 0 ? [...sentences, `${more} more such fields have no effect.`] : sentences;
}

const shownName = (name: string): string =>
  /^[\w.[\]-]+$/.test(name) ? cutText(name, MAX_NAME_LENGTH) : shownValue(cutText(name, MAX_NAME_LENGTH));

/** Case and what stands between words are no difference. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return undefined;
  const plain = new Map(known.map((one) => [plainName(one), one]));
  const nearest = plain.get(plainName(name)) ?? nearestOf(plainName(name), plain.keys());
  if (nearest !== undefined) return plain.get(nearest) ?? nearest;
  // Half of a name, such as `steps` for `num_inference_steps`.
  const words = wordsOf(name);
  return known.find((one) => words.every((word) => wordsOf(one).includes(word)));
}

const plainName = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");

const wordsOf = (name: string): string[] =>
  name
    .replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, "_")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
