/** From what an edit drew, 8-bit sRGB, to what its file holds: the source's transparency, bits and colour space. */
import { alphaAt } from "../images/alpha.ts";
import { deepOf, plainDeep } from "../images/convert-deep.ts";
import type { DecodedSource } from "../images/decode-source.ts";
import { type DeepPicture, depthOf, hasAlpha } from "../images/deep-picture.ts";
import { depthIn, FORMATS } from "../images/output-format.ts";
import type { EditOutcome } from "./model.ts";
import type { ResolvedRequest } from "./request.ts";
import { isTransparencyKept } from "./result-form.ts";

type Form = Pick<ResolvedRequest, "format" | "background" | "quality">;

/** @param source absent if the edit had no image */
export function finished(
  { picture, sourceInResult }: Pick<EditOutcome, "picture" | "sourceInResult">,
  source: DecodedSource | undefined,
  form: Form,
): DeepPicture {
  if (source === undefined) return plainDeep(picture!);
  const { deep } = source;
  const isKept = FORMATS[form.format].hasAlpha && isTransparencyKept(form.background);
  const alpha = hasAlpha(deep) && isKept && sourceInResult && alphaAt(deep, sourceInResult, picture!);
  return deepOf(picture!, {
    space: deep.space,
    depth: depthIn(form.format, depthOf(deep)),
    alpha: alpha || undefined,
  });
}

/** What the result cannot have of its source, as sentences. */
export function formNotices(
  { sourceInResult }: Pick<EditOutcome, "sourceInResult">,
  source: DecodedSource | undefined,
  { format, background, quality }: Form,
): string[] {
  const { name, bits, hasAlpha: canKeep, defaultQuality } = FORMATS[format];
  const isLost = source && hasAlpha(source.deep) && isTransparencyKept(background);
  return [
    ...(source?.notices ?? []),
    ...(source && source.bits > bits
      ? [`The image has ${source.bits} bits per colour, and the result ${bits}, since ${name} has no more.`]
      : []),
    ...(isLost && !canKeep ? [`The transparency was laid on white, since ${name} has none.`] : []),
    ...(isLost && canKeep && !sourceInResult
      ? ["The transparency was laid on white, because the image and the result differ in shape."]
      : []),
    ...(quality !== undefined && defaultQuality === undefined
      ? [`The quality has no effect, since ${name} is always exact.`]
      : []),
  ];
}
