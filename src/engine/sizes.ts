/**
 * Which sizes the network works at. Nothing is distorted or cropped: an image is scaled uniformly and padded to the
 * token grid by repeating its edge, and the padding is cut off again after decoding.
 */
import type { Size } from "./request.ts";

export interface NativeScale {
  /** Pixels that the network was trained at: the square of the autoencoder's sample size. */
  area: number;
  /** Side of a token in pixels: two latent cells. */
  grid: number;
  /**
   * Whether an image smaller than the native area is seen at its own size, as the network was trained, instead of being
   * enlarged. The first one is enlarged all the same where its parts are to keep their places. @default false
   */
  isSmallKept?: boolean | undefined;
}

/** An image inside a canvas of whole tokens, at its top left; of a larger image, the canvas holds the middle. */
export interface WorkingSize {
  content: Size;
  canvas: Size;
}

/** Every size of one edit. */
export interface SizePlan {
  /** Size of the result. */
  size: Size;
  target: WorkingSize;
  /** Size of each image, in order; only the first one's pixels can be kept unchanged. */
  references: readonly WorkingSize[];
}

/** The limit that the library and the command line use by default. */
const MAX_DEFAULT_SIDE = 1536;
const MIN_SIDE = 16;

/**
 * @param images sizes of the images, if any
 * @param size the requested size, if any; `source` is all of the first image's pixels
 */
export function planSizes(
  images: readonly Size[],
  size: Size | "source" | undefined,
  native: NativeScale,
): SizePlan {
  const resultSize = resultSizeOf(images[0], size, native);
  const target = targetSize(resultSize, native);
  return {
    size: resultSize,
    target,
    references: images.map((image, index) => workingReference(image, index, target, native)),
  };
}

/** The size of a result, by that of the first image. */
export function resultSizeOf(
  image: Size | undefined,
  size: Size | "source" | undefined,
  native: Pick<NativeScale, "area">,
): Size {
  if (size !== undefined && size !== "source") return size;
  if (image === undefined) return nativeSquare(native);
  return size === "source" ? { width: image.width, height: image.height } : defaultSize(image);
}

/** Where the image at `index` of an edit is encoded: the first one like the result, the others as the network saw them. */
export const workingReference = (
  image: Size,
  index: number,
  target: WorkingSize,
  native: NativeScale,
): WorkingSize =>
  index > 0 && native.isSmallKept ? ownSize(image, native) : referenceSize(image, target, native);

/** The result's size when there is neither an image nor a requested size. */
function nativeSquare({ area }: Pick<NativeScale, "area">): Size {
  const side = Math.round(Math.sqrt(area));
  return { width: side, height: side };
}

/** The result's size when none is requested: the image's own, its longer side at most 1,536. */
export function defaultSize(picture: Size): Size {
  const factor = Math.min(1, MAX_DEFAULT_SIDE / Math.max(picture.width, picture.height));
  const side = (length: number): number => Math.max(MIN_SIDE, Math.round(length * factor));
  return { width: side(picture.width), height: side(picture.height) };
}

/** Where the result is generated: the requested size, scaled down to the native area if larger, never up. */
export function targetSize(size: Size, native: NativeScale): WorkingSize {
  const factor = Math.min(1, Math.sqrt(native.area / (size.width * size.height)));
  return onGrid(scaled(size, factor), native.grid);
}

/**
 * Where the reference is encoded. If its shape equals the target's, within one token, it shares the target's canvas, so
 * unedited parts stay in place; otherwise it keeps its own shape at the native area.
 */
export function referenceSize(picture: Size, target: WorkingSize, native: NativeScale): WorkingSize {
  const fitted = fitInside(picture, target.content);
  const isNear = (slack: number): boolean =>
    target.content.width - fitted.width <= slack && target.content.height - fitted.height <= slack;
  // Rounding both sizes can cost one pixel.
  if (isNear(1)) return target;
  if (isNear(native.grid)) return { content: fitted, canvas: target.canvas };
  return ownSize(picture, native);
}

/** An image in its own shape, at the native area. */
function ownSize(picture: Size, native: NativeScale): WorkingSize {
  const longest = Math.max(picture.width, picture.height);
  // An image one pixel high or wide is padded to whole tokens: its length bounds its cost, not its area.
  const factor = Math.min(
    Math.sqrt(native.area / (picture.width * picture.height)),
    native.area / native.grid / longest,
    native.isSmallKept ? 1 : Infinity,
  );
  return onGrid(scaled(picture, factor), native.grid);
}

/** Whether unedited parts have the same place in the result and in the first image. */
export function hasOneCanvas({ target, references }: Pick<SizePlan, "target" | "references">): boolean {
  const [reference] = references;
  return (
    reference !== undefined &&
    target.canvas.width === reference.canvas.width &&
    target.canvas.height === reference.canvas.height &&
    reference.content.width <= target.content.width &&
    reference.content.height <= target.content.height
  );
}

/** If both share a canvas: how much of the result, from its top left, the first image covers. */
export function sourceInResult({ size, target, references }: SizePlan): Size {
  const reference = references[0]!;
  return {
    width: Math.round((reference.content.width * size.width) / target.content.width),
    height: Math.round((reference.content.height * size.height) / target.content.height),
  };
}

function fitInside(picture: Size, frame: Size): Size {
  const factor = Math.min(frame.width / picture.width, frame.height / picture.height);
  const { width, height } = scaled(picture, factor);
  return { width: Math.min(width, frame.width), height: Math.min(height, frame.height) };
}

const scaled = ({ width, height }: Size, factor: number): Size => ({
  width: Math.max(1, Math.round(width * factor)),
  height: Math.max(1, Math.round(height * factor)),
});

function onGrid(content: Size, grid: number): WorkingSize {
  const up = (length: number): number => Math.ceil(length / grid) * grid;
  return { content, canvas: { width: up(content.width), height: up(content.height) } };
}
