/** The transparency of an image file, apart from its colours. */
import { readerOf } from "./decode-samples.ts";
import { acceptedFile, type DecodeOptions } from "./decode.ts";
import type { GrayPicture } from "./picture.ts";

/**
 * How opaque each pixel is, upright: 0 to 255; undefined if the file has no transparency. Only for a file that
 * `decodePicture` decoded.
 * @throws RetouchError as `decodePicture` for what its header says
 */
export async function decodeAlpha(
  bytes: Uint8Array,
  options: DecodeOptions = {},
): Promise<GrayPicture | undefined> {
  const { file, form, metadata } = await acceptedFile(bytes, options);
  if (form.hasNoAlpha || !metadata.hasAlpha) return undefined;
  const { data: samples, info } = await (
    await readerOf(file, { ignoreIcc: true })
  )
    .autoOrient()
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const data = new Uint8Array(width * height);
  for (let pixel = 0; pixel < data.length; pixel += 1)
    data[pixel] = samples[pixel * channels + channels - 1]!;
  return { width, height, data };
}
