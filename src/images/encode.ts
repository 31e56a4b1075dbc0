/** Pictures to files. Encoding is part of every edit's time, so the settings below trade little size for speed. */
import sharp from "sharp";
import type { Picture } from "./picture.ts";

/** The file formats that a result can have. */
export type OutputFormat = "png" | "jpeg";

/** Encodes a picture, with an XMP packet in the file if one is given (see metadata.ts). */
export async function encodePicture(
  picture: Picture,
  format: OutputFormat,
  xmp?: string,
): Promise<Uint8Array<ArrayBuffer>> {
  let image = sharp(picture.data, {
    raw: { width: picture.width, height: picture.height, channels: 3 },
    limitInputPixels: false,
  });
  if (xmp !== undefined) image = image.withXmp(xmp);
  const encoded =
    format === "png"
      ? image.png({ compressionLevel: 6, adaptiveFiltering: false })
      : image.jpeg({ quality: 95, chromaSubsampling: "4:4:4" });
  // A copy of its own: sharp may hand out a part of a larger shared buffer.
  return new Uint8Array(await encoded.toBuffer());
}
