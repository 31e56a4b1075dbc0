/** From what an edit drew, 8-bit sRGB, to what its file holds: the source's transparency, bits and colour space. */
import { alphaAt } from "../images/alpha.ts";
import { deepOf, laidOn, plainDeep } from "../images/convert-deep.ts";
import { type DecodedSource, type DeepPicture, depthOf, hasAlpha } from "../images/deep-picture.ts";
import { depthIn, FORMATS } from "../images/output-format.ts";
import type { EditOutcome } from "./model.ts";
import type { ResolvedRequest } from "./request.ts";
import { colourOf, isTransparencyKept, notTransparent, TRANSPARENT } from "./result-form.ts";

type Form = Pick<ResolvedRequest, "format" | "background" | "outputQuality">;
type Drawn = Pick<EditOutcome, "picture" | "deep" | "sourceInResult">;

/**
 * A source as its result takes it over: without transparency, where the format has none or it is not to be kept.
 * @throws RetouchError INVALID_PARAMETER if transparency must be kept, and there is none
 */
export function sourceFor(
  source: DecodedSource | undefined,
  { format, background }: Form,
): DecodedSource | undefined {
  const isTransparent = source !== undefined && hasAlpha(source.deep);
  if (background === TRANSPARENT && !isTransparent) {
    throw notTransparent("the image has no transparency, and the model draws none");
  }
  if (!isTransparent) return source;
  if (!isTransparencyKept(background)) return { ...source, deep: laidOn(source.deep, colourOf(background)) };
  if (FORMATS[format].hasAlpha) return source;
  const notice = `The image's transparency was replaced with white, since ${FORMATS[format].name} has none.`;
  return { ...source, deep: laidOn(source.deep), notices: [...source.notices, notice] };
}

/** @param source as `sourceFor` returns it; absent if the edit had no image */
export function finished(
  { picture, deep, sourceInResult }: Drawn,
  source: DecodedSource | undefined,
  { format }: Form,
): DeepPicture {
  if (deep !== undefined) return deep;
  if (source === undefined) return plainDeep(picture!);
  const isKept = hasAlpha(source.deep) && sourceInResult !== undefined;
  return deepOf(picture!, {
    space: source.deep.space,
    depth: depthIn(format, depthOf(source.deep)),
    alpha: isKept ? alphaAt(source.deep, sourceInResult, picture!) : undefined,
  });
}

/** What the result cannot have of its source, as sentences. */
export function formNotices(
  { sourceInResult }: Drawn,
  source: DecodedSource | undefined,
  { format, outputQuality }: Form,
): string[] {
  const { name, bits, defaultQuality } = FORMATS[format];
  const notices = [...(source?.notices ?? [])];
  if (source && source.bits > bits) {
    notices.push(
      `The image has ${source.bits} bits per colour, and the result ${bits}, since ${name} supports no more.`,
    );
  }
  if (source && hasAlpha(source.deep) && sourceInResult === undefined) {
    notices.push("The image's transparency was replaced with white, because the result has another shape.");
  }
  if (outputQuality !== undefined && defaultQuality === undefined) {
    notices.push(`The quality has no effect, since ${name} is always lossless.`);
  }
  return notices;
}
