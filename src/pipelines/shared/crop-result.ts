/** Lays the part of an image that was drawn by itself over the rest, in the numbers of the image's file. */
import type { Size } from "../../engine/request.ts";
import { plainDeep, pictureOfDeep } from "../../images/convert-deep.ts";
import { type DeepPicture, inDepth, samplesFor, depthOf } from "../../images/deep-picture.ts";
import {
  cropped,
  fittedInto,
  overlay as layOver,
  type Region,
  resizeAndCrop,
} from "../../images/mask-crop.ts";
import {
  inNumbersOf,
  isMoreThanPlain,
  type OwnNumbers,
  ownNumbers,
  withAlphaOf,
} from "../../images/own-numbers.ts";
import { pillowResize } from "../../images/pillow-resize.ts";
import { cropPicture, type GrayPicture, type Picture } from "../../images/picture.ts";
import { compose, type Composed, type Kept } from "../../preserve/compose.ts";
import type { MaskOverlay } from "./inpaint.ts";
import type { KeptSource } from "./preserved.ts";

/** The image as a crop is laid over it. */
export interface CropSource {
  overlay: MaskOverlay;
  region: Region;
  /** In its file's numbers, on white: three channels. */
  flat: DeepPicture;
  /** Absent if the file holds no more than the picture that the networks see. */
  own: OwnNumbers | undefined;
  /** What stays inside the crop; absent if nothing is to. */
  kept: (Pick<KeptSource, "mode"> & { seen: Picture }) | undefined;
}

/** @param deep the image as its file has it */
export async function cropSource(
  overlay: MaskOverlay,
  region: Region,
  deep: DeepPicture | undefined,
  kept: CropSource["kept"],
): Promise<CropSource> {
  const file = deep && isMoreThanPlain(deep) ? deep : undefined;
  const own = file && (await ownNumbers(file, file, file));
  return { overlay, region, own, flat: own?.flat ?? plainDeep(overlay.source), kept };
}

/** The whole image, of its own size. */
export interface LaidOver {
  picture: Picture;
  /** The same in its file's numbers, where they are more. */
  deep: DeepPicture | undefined;
  /** What of it was kept, with a map of the image's size. */
  kept: (Pick<Kept, "shares" | "changedShare"> & { map: GrayPicture }) | undefined;
}

/** @param working what the network drew, of the size of its canvas */
export async function laidOver(source: CropSource, working: Picture): Promise<LaidOver> {
  const { overlay, region, flat, own } = source;
  const part: GrayPicture = cropped({ ...overlay.alpha, channels: 1 }, region);
  if (source.kept) {
    const { picture, kept } = await composed(source, working, part, source.kept);
    return { ...filed(pasted(flat, picture.data, region), own), kept: wholeKept(kept, flat, region) };
  }
  const drawn = resizeAndCrop({ ...working, channels: 3 }, region);
  // Of 8 bits of sRGB, diffusers' own arithmetic makes the soft edge.
  if (!own) {
    return { picture: layOver(overlay.source, drawn, part, region), deep: undefined, kept: undefined };
  }
  const inNumbers = inNumbersOf({ ...region, data: drawn.data as Uint8Array }, flat, depthOf(flat));
  return { ...filed(blended(flat, inNumbers, part, region), own), kept: undefined };
}

/** The crop with the image's own pixels where the network only reproduced them, and everywhere outside of the mask. */
function composed(
  { flat, region }: CropSource,
  working: Picture,
  mask: GrayPicture,
  { mode, seen }: NonNullable<CropSource["kept"]>,
): Promise<Composed> {
  const inner = fittedInto(region, working);
  const inside = (picture: Picture): Picture =>
    bytesOf(inNumbersOf(cropPicture(picture, inner.width, inner.height, inner), flat));
  const source = partOf(flat, region);
  const reduced = pillowResize({ ...bytesOf(source), channels: 3 }, inner);
  return compose({
    source: { ...source, channels: 3 },
    reduced: { ...inner, data: reduced.data },
    raw: inside(working),
    seen: inside(seen),
    mode,
    mask,
    isMapped: true,
  });
}

/** Of the whole image, which outside of the crop is a copy. */
function wholeKept({ shares, map }: Kept, { width, height }: Size, region: Region): LaidOver["kept"] {
  const data = new Uint8Array(width * height).fill(WHITE);
  for (let y = 0; y < region.height; y += 1) {
    const row = map!.data.subarray(y * region.width, (y + 1) * region.width);
    data.set(row, (region.top + y) * width + region.left);
  }
  const part = (region.width * region.height) / (width * height);
  const [carried, drawn] = [shares.carried * part, shares.drawn * part];
  const kept = Math.max(0, 1 - carried - drawn);
  return { shares: { kept, carried, drawn }, changedShare: 1 - kept, map: { width, height, data } };
}

function filed(deep: DeepPicture, own: OwnNumbers | undefined): Pick<LaidOver, "picture" | "deep"> {
  if (own === undefined) return { picture: bytesOf(deep), deep: undefined };
  const whole = withAlphaOf(deep, own);
  return { picture: pictureOfDeep(whole), deep: whole };
}

function bytesOf(deep: DeepPicture): Picture {
  const { width, height, data } = inDepth(deep, 8);
  return { width, height, data: data as Uint8Array };
}

/** A part of a picture of three channels. */
function partOf(deep: DeepPicture, { left, top, width, height }: Region): DeepPicture {
  const data = samplesFor(3 * width * height, depthOf(deep));
  for (let y = 0; y < height; y += 1) {
    const from = 3 * ((top + y) * deep.width + left);
    data.set(deep.data.subarray(from, from + 3 * width), 3 * y * width);
  }
  return { ...deep, width, height, data };
}

/** A picture of three channels with another part. */
function pasted(
  deep: DeepPicture,
  part: DeepPicture["data"],
  { left, top, width, height }: Region,
): DeepPicture {
  const data = deep.data.slice();
  for (let y = 0; y < height; y += 1) {
    const from = 3 * y * width;
    data.set(part.subarray(from, from + 3 * width), 3 * ((top + y) * deep.width + left));
  }
  return { ...deep, data };
}

/** The same, mixed in as far as `alpha` says; where it is 0 every number stays. */
function blended(deep: DeepPicture, part: DeepPicture, alpha: GrayPicture, region: Region): DeepPicture {
  const before = partOf(deep, region).data;
  const data = part.data.map((drawn: number, index: number) => {
    const share = alpha.data[Math.floor(index / 3)]! / WHITE;
    return Math.round(before[index]! + share * (drawn - before[index]!));
  });
  return pasted(deep, data, region);
}

const WHITE = 255;
