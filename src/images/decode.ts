/**
 * From files to pictures: whatever format a user has becomes upright 8-bit sRGB without alpha. Everything that is
 * refused is refused from the header, before any pixel is decoded, because a file of a few hundred kilobytes can hold
 * billions of pixels.
 */
import type { Metadata } from "sharp";
import { failure, RetouchError } from "../errors.ts";
import { avifForm } from "./avif-form.ts";
import { NO_COLOURS, pictureOf, readerOf, readSamples, readWideSamples } from "./decode-samples.ts";
import { firstFrame } from "./first-frame.ts";
import { acceptedFormat, unsupported } from "./accepted-format.ts";
import type { AcceptedFormat } from "./format.ts";
import { gifForm } from "./gif-form.ts";
import { jpegForm } from "./jpeg-form.ts";
import { type FormReaders, isRefused, type PictureForm, type RefusedForm } from "./picture-form.ts";
import { plainBytes, type Picture } from "./picture.ts";
import { pngForm } from "./png-form.ts";
import { tiffForm } from "./tiff-form.ts";

const MAX_PIXELS = 64_000_000;

export interface DecodeOptions {
  /** Width times height. @default 64,000,000 */
  maxPixels?: number | undefined;
  /** What error messages call the image, such as its path. @default "the image" */
  name?: string | undefined;
}

/**
 * Decodes a JPEG, PNG, WebP, AVIF, GIF or TIFF file (its first frame or page): EXIF rotation is applied, a colour
 * profile is converted to sRGB, transparency is composited onto white.
 * @throws RetouchError IMAGE_INVALID (not an image, damaged or truncated), IMAGE_UNSUPPORTED (another format),
 * IMAGE_TOO_LARGE.
 */
export async function decodePicture(bytes: Uint8Array, options: DecodeOptions = {}): Promise<Picture> {
  return decodedAs(bytes, options, decodedBy);
}

/** Checks a file and hands it to a reader. @throws as {@link decodePicture} */
export async function decodedAs<T extends object>(
  bytes: Uint8Array,
  options: DecodeOptions,
  read: (metadata: Metadata, file: Uint8Array, form: PictureForm) => Promise<T | RefusedForm>,
): Promise<T> {
  const { name: source } = options;
  const { file, form, format, metadata } = await acceptedFile(bytes, options);
  const decoded = await orDamaged(read(metadata, file, form), format, source);
  if (isRefused(decoded)) throw unsupported(source, decoded);
  return decoded;
}

/** A file that may be decoded, by its header. */
interface AcceptedFile {
  /** Its first frame, as the decoder reads it right. */
  file: Uint8Array;
  form: PictureForm;
  format: AcceptedFormat;
  metadata: Metadata;
}

/** @throws RetouchError as {@link decodePicture} */
export async function acceptedFile(bytes: Uint8Array, options: DecodeOptions): Promise<AcceptedFile> {
  const { maxPixels = MAX_PIXELS, name: source } = options;
  const format = acceptedFormat(bytes, source);
  const form = FORM_READERS[format](bytes);
  if (isRefused(form)) throw unsupported(source, form);
  const file = firstFrame(form.bytes, format);
  const metadata = await orDamaged((await readerOf(file)).metadata(), format, source);
  checkHeader(metadata, maxPixels, source);
  return { file, form, format, metadata };
}

const FORM_READERS: FormReaders = {
  JPEG: jpegForm,
  PNG: pngForm,
  TIFF: tiffForm,
  AVIF: avifForm,
  WebP: (bytes) => ({ bytes }),
  GIF: gifForm,
};

/** Samples of 8 bits, that the decoder knows all about, take its own way, which is the fastest. */
export async function decodedBy(
  metadata: Metadata,
  file: Uint8Array,
  form: PictureForm,
): Promise<Picture | RefusedForm> {
  const { depth, space } = metadata;
  if (depth === "float" || depth === "uint") return pictureOf(await readWideSamples(metadata, file, form));
  const isPlain = form.encoding === undefined && !form.isPremultiplied;
  if (isPlain && (depth === "uchar" || space === "cmyk")) return decodePlain(file, form);
  const samples = await readSamples(metadata, file, form);
  return samples ? pictureOf(samples) : decodePlain(file, form);
}

async function decodePlain(
  file: Uint8Array,
  { hasNoAlpha, hasNoProfile = false, frame }: PictureForm,
): Promise<Picture | RefusedForm> {
  const upright = (await readerOf(file, { ignoreIcc: hasNoProfile })).autoOrient();
  const { data, info } = await (
    hasNoAlpha ? upright.removeAlpha() : upright.flatten({ background: "#ffffff" })
  )
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) return NO_COLOURS;
  const picture = { width: info.width, height: info.height, data: plainBytes(data) };
  return frame ? whitenedAround(picture, frame) : picture;
}

/** In place. */
function whitenedAround(
  picture: Picture,
  { left, top, width, height }: NonNullable<PictureForm["frame"]>,
): Picture {
  const rowBytes = picture.width * 3;
  for (let y = 0; y < picture.height; y++) {
    const row = picture.data.subarray(y * rowBytes, (y + 1) * rowBytes);
    if (y < top || y >= top + height) row.fill(255);
    row.fill(255, 0, left * 3);
    row.fill(255, (left + width) * 3);
  }
  return picture;
}

function checkHeader(metadata: Metadata, maxPixels: number, source: string | undefined): void {
  const { width, height } = metadata;
  if (width * height > maxPixels) {
    const [pixels, max] = [grouped(width * height), grouped(maxPixels)];
    throw new RetouchError("IMAGE_TOO_LARGE", failure("imagePixels", { source, width, height, pixels, max }));
  }
  if (metadata.format === "heif" && metadata.compression !== "av1") {
    throw unsupported(source, { state: "is a HEIC/HEIF image", advice: "convert it to JPEG or PNG" });
  }
}

/** The decoder's own message may name libraries and buffers and span many lines, so it is kept as the cause. */
async function orDamaged<T>(
  result: Promise<T>,
  format: AcceptedFormat,
  source: string | undefined,
): Promise<T> {
  try {
    return await result;
  } catch (cause) {
    throw new RetouchError("IMAGE_INVALID", failure("imageDamaged", { source, format }), { cause });
  }
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
