/** The sides of a picture as decoding it would give them, by its header alone. */
import { acceptedFile, type DecodeOptions } from "./decode.ts";
import type { Picture } from "./picture.ts";

/** @throws RetouchError as `decodePicture` for what a header says */
export async function uprightSize(
  bytes: Uint8Array,
  options: DecodeOptions = {},
): Promise<Pick<Picture, "width" | "height">> {
  const { metadata } = await acceptedFile(bytes, options);
  const { width, height } = metadata.autoOrient;
  return { width, height };
}
