/** The last steps of an edit: from its latents to the picture, with the source's own pixels where that is wanted. */
import { preserveOf, type ResolvedRequest } from "../../engine/request.ts";
import { hasOneCanvas, type SizePlan } from "../../engine/sizes.ts";
import { padPicture, type Picture } from "../../images/picture.ts";
import type { PreserveMode } from "../../preserve/analyse.ts";
import { compose, type Kept } from "../../preserve/compose.ts";
import { resizePicture } from "../../images/resize.ts";
import type { LatentSpace } from "./latent-space.ts";
import { decode, sourceAt } from "./pictures.ts";

/** An image whose pixels are to stay wherever the network merely reproduced them. */
export interface KeptSource {
  picture: Picture;
  /** As the network saw it, packed. */
  latents: Float32Array;
  mode: PreserveMode;
  /** Whether a map of the result is wanted. */
  isMapped: boolean;
}

/** How a request wants its source kept. */
export function keptAs(request: ResolvedRequest): Pick<KeptSource, "mode" | "isMapped"> {
  const preserve = preserveOf(request);
  return { mode: preserve === "exact" ? "exact" : "auto", isMapped: request.isMaskWanted ?? false };
}

export interface Result {
  picture: Picture;
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
  const raw = await decode(space, latents, target);
  if (source === undefined || !hasOneCanvas(plan)) {
    const picture = await resizePicture(raw, size.width, size.height);
    return { picture, notices: source === undefined ? [] : [NOT_KEPT] };
  }
  const seen = await decode(space, source.latents, target);
  const { mode, isMapped } = source;
  const whole = await sourceAt(source.picture, plan);
  const { content } = plan.references[0]!;
  const { width, height } = target.content;
  const reduced = await resizePicture(source.picture, content.width, content.height);
  const { picture, kept } = await compose({
    source: { ...whole, channels: 3 },
    reduced: padPicture(reduced, width, height),
    raw,
    seen,
    mode,
    isMapped,
  });
  return { picture: { ...size, data: picture.data as Uint8Array }, kept, notices: [] };
}

const NOT_KEPT =
  "What was not edited could not be kept as it was, because the image and the result differ in shape.";
