/** Images as files: read, made small enough to be sent, and written as the API takes them. */
import { ApiError } from "./api.ts";

/** An image that can be sent. */
export interface FittingPicture {
  bytes: Blob;
  width: number;
  height: number;
}

export interface ReadPicture extends FittingPicture {
  /** Whether it was scaled down. */
  isScaled?: boolean;
}

/** What browsers decode, of what the server takes. */
const TYPES = new Set(["image/png", "image/jpeg", "image/webp", "image/gif", "image/avif"]);
/** What the server turns into what they decode. */
const CONVERTED = new Set(["image/tiff"]);
/** A body of /run may have 10 MB, and base64 takes a third more than the bytes. */
const MAX_BYTES = 7 * 2 ** 20;
/** Larger images are scaled down to this: no result has longer sides. */
const MAX_SIDE = 2048;
/** Of the side, where an image that was scaled down is still too large. */
const SHRINK = 0.75;

/** Has the server make an image that browsers can show. @throws ApiError, UnreachableError */
export type Convert = (image: string) => Promise<Blob>;

/**
 * Reads an image and scales it down if its bytes are more than can be sent.
 * @returns the image, or a sentence that says what is wrong with it
 */
export async function readPicture(
  coming: Blob | Promise<Blob>,
  convert: Convert,
): Promise<ReadPicture | string> {
  try {
    let bytes = await coming;
    if (CONVERTED.has(bytes.type)) bytes = await convert(await dataUrlOf({ bytes }));
    if (!TYPES.has(bytes.type)) return "This is not a PNG, JPEG, WebP, GIF, AVIF or TIFF image.";
    return await fit(bytes, MAX_BYTES).catch(() => "This image cannot be read.");
  } catch (error) {
    return error instanceof ApiError ? error.message : "The server does not answer.";
  }
}

/** The images of one edit, those above an equal share scaled down if they are too large together. */
export async function fitTogether<Picture extends FittingPicture>(
  pictures: readonly Picture[],
): Promise<Picture[]> {
  const bytes = pictures.reduce((sum, picture) => sum + picture.bytes.size, 0);
  if (bytes <= MAX_BYTES) return [...pictures];
  const share = MAX_BYTES / pictures.length;
  return Promise.all(pictures.map(async (one) => ({ ...one, ...(await fit(one.bytes, share)) })));
}

async function fit(bytes: Blob, maxBytes: number): Promise<ReadPicture> {
  const { width, height } = await measured(bytes);
  if (bytes.size <= maxBytes) return { bytes, width, height };
  let scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  for (;;) {
    const sides = { width: Math.round(width * scale), height: Math.round(height * scale) };
    // Scaled by the browser's own threads, not by this one.
    const resize = { resizeWidth: sides.width, resizeHeight: sides.height, resizeQuality: "high" } as const;
    const bitmap = await createImageBitmap(bytes, resize);
    const canvas = new OffscreenCanvas(sides.width, sides.height);
    canvas.getContext("2d")!.drawImage(bitmap, 0, 0);
    bitmap.close();
    const smaller = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
    if (smaller.size <= maxBytes) return { bytes: smaller, ...sides, isScaled: true };
    scale *= SHRINK;
  }
}

/** The image with its size. @throws for one that this browser cannot read */
export async function measured(bytes: Blob): Promise<FittingPicture> {
  const bitmap = await createImageBitmap(bytes);
  const { width, height } = bitmap;
  bitmap.close();
  return { bytes, width, height };
}

export async function fetchPicture(url: string): Promise<Blob> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} cannot be loaded (${response.status}).`);
  return response.blob();
}

/**
 * An image as the API takes it: the bytes themselves. Not the URL of an example: behind a proxy, the server
 * may not recognise this page's URL as its own.
 */
export function dataUrlOf({ bytes }: Pick<FittingPicture, "bytes">): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result as string));
    reader.addEventListener("error", () => reject(reader.error ?? new Error("The image cannot be read.")));
    reader.readAsDataURL(bytes);
  });
}
