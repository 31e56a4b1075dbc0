/** The last steps of an edit: from its latents to the picture, with the source's own pixels where that is wanted. */
import { throwIfAborted } from "../../engine/abort.ts";
import type { EditExtent } from "../../engine/extent.ts";
import type { FloatTensor } from "../../engine/given-tensors.ts";
import type { DrawnImage, EditOutcome, EditorOptions } from "../../engine/model.ts";
import type { ResolvedRequest, Size } from "../../engine/request.ts";
import { notTransparent, TRANSPARENT } from "../../engine/result-form.ts";
import { hasOneCanvas, sourceInResult, type SizePlan } from "../../engine/sizes.ts";
import { Stopwatch } from "../../engine/stopwatch.ts";
import type { DeepPicture } from "../../images/deep-picture.ts";
import { padGray, resizeGray } from "../../images/gray.ts";
import { checkFormatSides } from "../../images/output-format.ts";
import { isMoreThanPlain } from "../../images/own-numbers.ts";
import type { GrayPicture, Picture } from "../../images/picture.ts";
import type { Kept } from "../../preserve/compose.ts";
import type { ReuseTally } from "../../sampling/sampler.ts";
import { resizePicture } from "../../images/resize.ts";
import { cropSource, type CropSource, laidOver } from "./crop-result.ts";
import type { MaskOverlay } from "./inpaint.ts";
import type { LatentSpace } from "./latent-space.ts";
import { decode, sourceAt } from "./pictures.ts";
import { type KeptSource, type PreparedSource, prepareSource, preserved } from "./preserved.ts";

/** One image before it is decoded. */
export interface LatentImage {
  /** Its last packed latents, [L, C]. */
  latents: FloatTensor;
  /** What of its steps was reused; see DrawnImage. */
  reuse?: ReuseTally | undefined;
  /** As in DrawnImage. */
  noise?: DrawnImage["noise"];
}

export interface Result {
  picture: Picture;
  /** What is written in its place: see EditOutcome. */
  deep?: DeepPicture | undefined;
  isEnlarged?: DrawnImage["isEnlarged"];
  /** Where the first image lies in it: see EditOutcome. */
  sourceInResult?: Size | undefined;
  kept?: Kept | undefined;
  /** What the user should know of it, as sentences. */
  notices: string[];
}

/** What a result is put together with. */
export interface ResultSource {
  /** Absent if nothing of the first image is to be kept. */
  kept: KeptSource | undefined;
  /** How what was drawn inside a mask is laid over the first image; absent if it is not. */
  overlay: MaskOverlay | undefined;
  /** The first image as its file has it; absent if it is not one file's, or there is none. */
  deep: DeepPicture | undefined;
}

/**
 * Decodes every image that was drawn, cuts off the padding, resizes to the requested size, and puts the first image's own
 * pixels back where that is wanted. The notices are those of all.
 * @throws RetouchError ABORTED before the next image
 */
export async function resultsOf(
  space: LatentSpace,
  drawn: readonly LatentImage[],
  plan: SizePlan,
  source: ResultSource,
  { signal, stopwatch = new Stopwatch() }: Pick<EditorOptions, "signal" | "stopwatch">,
): Promise<{ images: DrawnImage[]; sourceInResult: Size | undefined; notices: string[] }> {
  const images: DrawnImage[] = [];
  const all = new Set<string>();
  let placed: Size | undefined;
  let prepared: Prepared | undefined;
  const { kept, overlay } = source;
  // The same for all images.
  const prepare = async (): Promise<Prepared | undefined> =>
    kept &&
    (prepared ??= {
      source: await prepareSource(space, kept, plan),
      mask: overlay && mapAt(overlay.alpha, plan, plan.size),
      workingMask: overlay && mapAt(overlay.alpha, plan, plan.target.content),
    });
  const seen = overlay?.region &&
    kept && { mode: kept.mode, seen: await decode(space, kept.latents, plan.target) };
  const cropped = overlay?.region && (await cropSource(overlay, overlay.region, source.deep, seen));
  for (const { latents, reuse, noise } of drawn) {
    throwIfAborted(signal);
    const working = await stopwatch.time("decode", () => decode(space, latents.data, plan.target));
    const result = await stopwatch.time("enlarge", () =>
      cropped
        ? cropLaidOver(working, cropped, kept?.isMapped ?? false)
        : resultOf(working, plan, source, prepare),
    );
    const { notices, sourceInResult: place, ...image } = result;
    images.push({ latents, reuse, noise, ...image });
    placed = place;
    for (const notice of notices) all.add(notice);
  }
  return { images, sourceInResult: placed, notices: [...all] };
}

/** What every image is put together with: the first image, and where it may change, at two sizes. */
interface Prepared {
  source: PreparedSource;
  mask: GrayPicture | undefined;
  workingMask: GrayPicture | undefined;
}

async function resultOf(
  working: Picture,
  plan: SizePlan,
  source: ResultSource,
  prepare: () => Promise<Prepared | undefined>,
): Promise<Result> {
  const { size } = plan;
  const placed = hasOneCanvas(plan) ? sourceInResult(plan) : undefined;
  const prepared = placed && (await prepare());
  if (prepared === undefined) {
    const picture = await resizePicture(working, size.width, size.height);
    const isEnlarged = size.width >= 2 * working.width && size.height >= 2 * working.height;
    return { picture, isEnlarged, sourceInResult: placed, notices: source.kept ? [NOT_KEPT] : [] };
  }
  // Outside of the edit's mask every pixel of the result is exact.
  const result = await preserved(prepared.source, working, prepared.mask);
  const kept = prepared.workingMask ? withOutside(result.kept, prepared.workingMask) : result.kept;
  return { ...result, kept, sourceInResult: placed, notices: [] };
}

/** The pictures of an edit beside those that its networks see. */
export interface WholePictures {
  size: Size;
  numResults: number;
  /** The first image, and as its file has it; absent if there is none. */
  source: Size | undefined;
  deep: DeepPicture | undefined;
  /** Whether there is a mask, of the first image's size. */
  isMasked: boolean;
}

/** What of an extent they decide. */
export const pictureExtent = (
  { size, numResults, source, deep, isMasked }: WholePictures,
  { maskBlur = 0, maskFeather = 0 }: Pick<ResolvedRequest, "maskBlur" | "maskFeather">,
): Pick<EditExtent, "result" | "numResults" | "isDeep" | "source" | "mask"> => ({
  result: size,
  numResults,
  isDeep: deep && isMoreThanPlain(deep),
  source: source && { width: source.width, height: source.height },
  mask: isMasked ? (maskBlur > 0 || maskFeather > 0 ? "soft" : "hard") : undefined,
});

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

/** What an edit returns, from what its images have in common and what each is. */
export const outcomeOf = (
  common: Omit<EditOutcome, keyof DrawnImage | "images">,
  images: readonly DrawnImage[],
): EditOutcome => ({ ...common, ...images[0]!, ...(images.length > 1 && { images }) });

/** The whole image with the part that was drawn by itself, as the result has it. */
async function cropLaidOver(working: Picture, source: CropSource, isMapped: boolean): Promise<Result> {
  const { picture, deep, kept } = await laidOver(source, working);
  const { plan } = source.overlay;
  const placed = sourceInResult(plan);
  const isWhole = [placed, plan.size].every(
    ({ width, height }) => width === picture.width && height === picture.height,
  );
  const result = {
    picture: await sourceAt(picture, plan),
    deep: isWhole ? deep : undefined,
    sourceInResult: placed,
    notices: [],
  };
  if (kept === undefined) return result;
  const copied = { ...kept.map, data: kept.map.data.map((value) => (value === WHITE ? WHITE : 0)) };
  const { shares, changedShare } = kept;
  return {
    ...result,
    kept: {
      shares,
      changedShare,
      mask: mapAt(copied, plan, plan.target.content),
      map: isMapped ? mapAt(kept.map, plan, plan.size) : undefined,
    },
  };
}

/** A map of the source where the result, or its working size, has the source. */
function mapAt(map: GrayPicture, plan: SizePlan, size: Size): GrayPicture {
  const { width, height } = sourceInResult({ ...plan, size });
  return padGray(resizeGray(map, width, height), size.width, size.height);
}

/** What is kept, with all that lies outside of the mask. */
function withOutside(kept: Kept, alpha: GrayPicture): Kept {
  const data = kept.mask.data.map((value, pixel) => Math.max(value, WHITE - alpha.data[pixel]!));
  return { ...kept, mask: { ...kept.mask, data } };
}

const WHITE = 255;

const NOT_KEPT = "What was not edited could not be kept, because the image and the result differ in shape.";
