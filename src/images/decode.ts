/**
 * From files to pictures: whatever format a user has becomes upright 8-bit sRGB without alpha. Everything that is
 * refused is refused from the header, before any pixel is decoded, because a file of a few hundred kilobytes can hold
 * billions of pixels.
 */
import type { Metadata } from "sharp";
import { failure, RetouchError } from "../errors.ts";
import { firstFrame } from "./first-frame.ts";
import { ACCEPTED_FORMATS, formatOf, type AcceptedFormat } from "./format.ts";
import { plainBytes, type Picture } from "./picture.ts";
import { loadSharp } from "./sharp.ts";

const MAX_PIXELS = 64_000_000;
/** CMYK and alpha; scientific TIFF files with hundreds of bands are not images. */
const MAX_CHANNELS = 5;

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
  const { maxPixels = MAX_PIXELS, name: source } = options;
  const format = acceptedFormat(bytes, source);
  const sharp = await loadSharp();
  // "error" refuses truncated files, but still accepts the harmless oddities ("warning") of many cameras.
  const image = sharp(firstFrame(bytes, format), {
    failOn: "error",
    limitInputPixels: false,
    page: 0,
    pages: 1,
  });
  const metadata = await orDamaged(image.metadata(), format, source);
  checkHeader(metadata, maxPixels, source);
  const decoded = image
    .autoOrient()
    .flatten({ background: "#ffffff" })
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  const { data, info } = await orDamaged(decoded, format, source);
  if (info.channels !== 3) {
    throw new RetouchError("IMAGE_UNSUPPORTED", failure("imageColours", { source }));
  }
  return { width: info.width, height: info.height, data: plainBytes(data) };
}

function acceptedFormat(bytes: Uint8Array, source: string | undefined): AcceptedFormat {
  if (bytes.length === 0) throw new RetouchError("IMAGE_INVALID", failure("imageEmpty", { source }));
  const format = formatOf(bytes);
  if (format === undefined) {
    throw new RetouchError("IMAGE_INVALID", failure("imageUnknown", { source, accepted: listFormats() }));
  }
  if (!format.isAccepted) {
    const { name, advice } = format;
    throw new RetouchError(
      "IMAGE_UNSUPPORTED",
      failure("imageFormat", { source, state: `is ${name}`, advice }),
    );
  }
  return format.name;
}

function checkHeader(metadata: Metadata, maxPixels: number, source: string | undefined): void {
  const { width, height } = metadata;
  if (width * height > maxPixels) {
    const [pixels, max] = [grouped(width * height), grouped(maxPixels)];
    throw new RetouchError("IMAGE_TOO_LARGE", failure("imagePixels", { source, width, height, pixels, max }));
  }
  if (metadata.format === "heif" && metadata.compression !== "av1") {
    throw new RetouchError(
      "IMAGE_UNSUPPORTED",
      failure("imageFormat", {
        source,
        state: "is a HEIC/HEIF image",
        advice: "convert it to JPEG or PNG",
      }),
    );
  }
  if (metadata.channels > MAX_CHANNELS) {
    throw new RetouchError(
      "IMAGE_UNSUPPORTED",
      failure("imageChannels", { source, channels: metadata.channels }),
    );
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

function listFormats(): string {
  return `${ACCEPTED_FORMATS.slice(0, -1).join(", ")} and ${ACCEPTED_FORMATS.at(-1)}`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
