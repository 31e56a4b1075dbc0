/** The last steps of an edit: from its latents to the picture, with the source's own pixels where that is wanted. */
import { composite, findKept, type Kept } from "../../engine/keep-unchanged.ts";
import type { ResolvedRequest, Size } from "../../engine/request.ts";
import { notTransparent, TRANSPARENT } from "../../engine/result-form.ts";
import { hasOneCanvas, type SizePlan, sourceInResult } from "../../engine/sizes.ts";
import { pictureOfDeep } from "../../images/convert-deep.ts";
import type { DecodedSource } from "../../images/decode-source.ts";
import { type DeepPicture, depthOf } from "../../images/deep-picture.ts";
import { checkFormatSides } from "../../images/output-format.ts";
import { inNumbersOf, isMoreThanPlain, ownNumbers, withAlphaOf } from "../../images/own-numbers.ts";
import type { Picture } from "../../images/picture.ts";
import { resizePicture } from "../../images/resize.ts";
import type { LatentSpace } from "./latent-space.ts";
import { decode, sourceAt } from "./pictures.ts";

/** An image whose pixels are to stay wherever the network merely reproduced them. */
export interface KeptSource {
  picture: Picture;
  /** As its file has it, where that is known. */
  decoded?: DecodedSource | undefined;
  /** As the network saw it, packed. */
  latents: Float32Array;
}

export interface Result {
  picture: Picture;
  /** The same with the file's own numbers: see EditOutcome. */
  deep?: DeepPicture | undefined;
  /** Where the first image lies in it: see EditOutcome. */
  sourceInResult?: Size | undefined;
  kept?: Kept | undefined;
  /** What the user should know of it, as sentences. */
  notices: string[];
}

/** Decodes, cuts off the padding, resizes to the requested size, and puts the source's pixels back if it is given. */
export async function resultOf(
  space: LatentSpace,
  latents: Float32Array,
  plan: SizePlan,
  source: KeptSource | undefined,
): Promise<Result> {
  const { size, target } = plan;
  const working = await decode(space, latents, target);
  const picture = await resizePicture(working, size.width, size.height);
  const placed = hasOneCanvas(plan) ? sourceInResult(plan) : undefined;
  if (source === undefined) return { picture, sourceInResult: placed, notices: [] };
  if (placed === undefined) return { picture, notices: [NOT_KEPT] };

  const seen = await decode(space, source.latents, target);
  const kept = findKept(working, seen, space.autoencoder.scaleFactor);
  if (kept.changedShare === 1) return { picture, sourceInResult: placed, kept, notices: [] };
  if (source.decoded && isMoreThanPlain(source.decoded.deep)) {
    const own = await ownNumbers(source.decoded.deep, placed, size);
    const drawn = inNumbersOf(picture, own.flat, depthOf(own.flat));
    composite(drawn, own.flat, kept.mask);
    const deep = withAlphaOf(drawn, own);
    return { picture: pictureOfDeep(deep), deep, sourceInResult: placed, kept, notices: [] };
  }
  composite(picture, await sourceAt(source.picture, plan), kept.mask);
  return { picture, sourceInResult: placed, kept, notices: [] };
}

/**
 * Checks before the first step that the result can be the file that is asked for.
 * @throws RetouchError INVALID_PARAMETER if its format has no such sides, or transparency must be kept and the result has
 * another shape than the image
 */
export function checkForm(
  plan: SizePlan,
  { format, background }: Pick<ResolvedRequest, "format" | "background">,
): void {
  checkFormatSides(format, plan.size);
  if (background !== TRANSPARENT || hasOneCanvas(plan)) return;
  throw notTransparent("the result has another shape than the image");
}

const NOT_KEPT =
  "What was not edited could not be kept as it was, because the image and the result differ in shape.";
