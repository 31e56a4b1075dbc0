/** A grey picture as a PNG, and one whose transparency is given. */
import sharp from "sharp";
import type { GrayPicture, Picture } from "../../src/images/picture.ts";

export const grayPng = async ({ width, height, data }: GrayPicture): Promise<Uint8Array> =>
  new Uint8Array(
    await sharp(data, { raw: { width, height, channels: 1 } })
      .toColourspace("b-w")
      .png()
      .toBuffer(),
  );

/** @param alpha 0 where the picture is transparent */
export const transparentPng = async (
  { width, height, data }: Picture,
  alpha: GrayPicture,
): Promise<Uint8Array> =>
  new Uint8Array(
    await sharp(data, { raw: { width, height, channels: 3 } })
      .joinChannel(Buffer.from(alpha.data), { raw: { width, height, channels: 1 } })
      .png()
      .toBuffer(),
  );
