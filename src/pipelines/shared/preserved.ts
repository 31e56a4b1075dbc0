/** A network's result put together with the first image of its edit, in the numbers of that image's file. */
import { preserveOf } from "../../engine/preserve-rules.ts";
import type { ResolvedRequest } from "../../engine/request.ts";
import { type SizePlan, sourceInResult } from "../../engine/sizes.ts";
import { laidOn, pictureOfDeep, plainDeep } from "../../images/convert-deep.ts";
import { type DeepPicture, inDepth } from "../../images/deep-picture.ts";
import {
  inNumbersOf,
  isMoreThanPlain,
  type OwnNumbers,
  ownNumbers,
  withAlphaOf,
} from "../../images/own-numbers.ts";
import { type GrayPicture, padPicture, type Picture } from "../../images/picture.ts";
import { resizePicture } from "../../images/resize.ts";
import type { PreserveMode } from "../../preserve/analyse.ts";
import { compose, type Kept } from "../../preserve/compose.ts";
import type { LatentSpace } from "./latent-space.ts";
import { decode, sourceAt } from "./pictures.ts";

/** An image whose pixels are to stay wherever the network merely reproduced them. */
export interface KeptSource {
  picture: Picture;
  /** The same as its file has it. @default the picture */
  deep?: DeepPicture | undefined;
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

/** What all results of an edit are compared and put together with. */
export interface PreparedSource extends Pick<KeptSource, "mode" | "isMapped"> {
  /** At the size and place of the result, in the file's numbers, on white. */
  flat: DeepPicture;
  /** The same with its transparency; absent if the file holds no more than the picture that the networks see. */
  own: OwnNumbers | undefined;
  /** At working size, in 8 bits of the file's space: the source, and what the autoencoder makes of it. */
  reduced: Picture;
  seen: Picture;
}

export async function prepareSource(
  space: LatentSpace,
  { picture, deep, latents, mode, isMapped }: KeptSource,
  plan: SizePlan,
): Promise<PreparedSource> {
  const file = deep && isMoreThanPlain(deep) ? deep : undefined;
  const own = file && (await ownNumbers(file, sourceInResult(plan), plan.size));
  const flat = own?.flat ?? plainDeep(await sourceAt(picture, plan));
  const { content } = plan.references[0]!;
  const { width, height } = plan.target.content;
  const whole = file ? bytesOf(laidOn(file)) : picture;
  const reduced = padPicture(await resizePicture(whole, content.width, content.height), width, height);
  const seen = bytesOf(inNumbersOf(await decode(space, latents, plan.target), flat));
  return { flat, own, reduced, seen, mode, isMapped };
}

export interface Preserved {
  picture: Picture;
  /** What is written in place of the picture, where the file holds more. */
  deep?: DeepPicture | undefined;
  kept: Kept;
}

/**
 * @param raw the network's result, at its working size
 * @param mask of the result's size: white where it may change
 */
export async function preserved(
  { flat, own, reduced, seen, mode, isMapped }: PreparedSource,
  raw: Picture,
  mask: GrayPicture | undefined,
): Promise<Preserved> {
  const drawn = bytesOf(inNumbersOf(raw, flat));
  const source = { ...flat, channels: 3 } as const;
  const { picture, kept } = await compose({ source, reduced, raw: drawn, seen, mode, mask, isMapped });
  const composed: DeepPicture = { ...source, data: picture.data };
  if (own === undefined) return { picture: bytesOf(composed), kept };
  const deep = withAlphaOf(composed, own);
  return { picture: pictureOfDeep(deep), deep, kept };
}

function bytesOf(deep: DeepPicture): Picture {
  const { width, height, data } = inDepth(deep, 8);
  return { width, height, data: data as Uint8Array };
}
