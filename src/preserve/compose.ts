/** Puts a network's result and its source together at the result's full size. */
import { resizePicture } from "../images/resize.ts";
import type { GrayPicture, Picture } from "../images/picture.ts";
import { analyse, type PreserveMode } from "./analyse.ts";
import { type PixelImage, renderRows, type Shares } from "./render.ts";

export interface ComposeOptions {
  /** The original, at the result's size. */
  source: PixelImage;
  /** The same in 8 bits without alpha, reduced to the size of `raw`. */
  reduced: Picture;
  /** The network's result. */
  raw: Picture;
  /** The source as the network's autoencoder reconstructs it, of the same size. @default `reduced` */
  seen?: Picture | undefined;
  mode: PreserveMode;
}

export interface Composed {
  picture: PixelImage;
  shares: Shares;
}

export async function compose({ source, reduced, raw, seen, mode }: ComposeOptions): Promise<Composed> {
  const analysis = analyse(reduced, raw, { mode, seen });
  const { width, height, channels } = source;
  const max = source.max ?? (source.data instanceof Uint8Array ? 255 : 65_535);
  const data = source.data instanceof Uint8Array ? new Uint8Array(source.data.length) : new Uint16Array(source.data.length);
  const shares = renderRows({ source: { ...source, max }, raw: raw.data, analysis, data }, 0, height);
  return { picture: { width, height, channels, data, max }, shares };
}
void resizePicture;
export type { GrayPicture };
