/**
 * Puts a network's result and its source together at the result's full size: the source's own pixels where nothing was
 * edited, changes of light and colour on the source's own detail, and the network's pixels, enlarged, elsewhere.
 */
import type { GrayPicture, Picture } from "../images/picture.ts";
import { analyse, type Analysis, KEPT, MAP, type PreserveMode } from "./analyse.ts";
import type { Placement } from "./placement.ts";
import { startRenderers } from "./render-threads.ts";
import type { PixelImage, Shares } from "./render.ts";

export interface ComposeOptions {
  /** The original, at the size and place of the result, in 8 or 16 bits. */
  source: PixelImage;
  /** The same in 8 bits without alpha, at the size of `raw`. */
  reduced: Picture;
  /** The network's result, at its working size. */
  raw: Picture;
  /** The source as the network's autoencoder reconstructs it, of the same size. @default `reduced` */
  seen?: Picture | undefined;
  mode: PreserveMode;
  /** White where the picture may change, of any size; outside of it every pixel is a copy. @default all may */
  mask?: GrayPicture | undefined;
  /** Whether to draw a map of the result. @default false */
  isMapped?: boolean | undefined;
  /** The compiled file of the threads, where it is not beside this one. */
  entry?: URL | undefined;
  /** @default one a core, at most 4 */
  threads?: number | undefined;
}

/** How a result was put together. */
export interface Kept {
  /** Share of the image's area, 0 (the source itself) to 1 (nothing of it is a copy). */
  changedShare: number;
  /** At working size: 255 for the source's own pixels, 0 for others. */
  mask: GrayPicture;
  /** Shares of the area, which sum to 1: copied, carried over, and drawn by the network. */
  shares: Shares;
  /** If wanted, at the result's size: 255 where copied, 128 where carried over, 0 where drawn. */
  map?: GrayPicture | undefined;
}

export interface Composed {
  /** Of the source's depth and channels; alpha is the source's. */
  picture: PixelImage;
  kept: Kept;
  /** Where the network's result was found to lie over its source, in pixels of working size. */
  placement: Placement;
}

export async function compose(options: ComposeOptions): Promise<Composed> {
  const { source, reduced, raw, seen, mode, mask, isMapped = false, entry, threads } = options;
  const { width, height, channels } = source;
  const max = source.max ?? (source.data instanceof Uint8Array ? 255 : 65_535);
  const renderers = startRenderers(source, { entry, threads });
  try {
    const analysis = analyse(reduced, raw, { mode, seen });
    const data = source.data.slice();
    const map = isMapped ? new Uint8Array(width * height) : undefined;
    const size = { width, height, channels, max };
    const sums = await renderers.render({ size, raw: raw.data, analysis, mask }, { data, map });
    const pixels = width * height;
    const shares = {
      kept: sums.kept / pixels,
      carried: sums.carried / pixels,
      drawn: sums.drawn / pixels,
    };
    return {
      picture: { width, height, channels, max, data },
      placement: analysis.placement,
      kept: {
        changedShare: Math.min(Math.max(1 - shares.kept, 0), 1),
        shares,
        mask: keptMask(analysis),
        map: map && { width, height, data: map },
      },
    };
  } finally {
    await renderers.close();
  }
}

/** What stays, at working size: beyond what the result covers it goes on as it ends. */
function keptMask({ width, height, rectangle, maps }: Analysis): GrayPicture {
  const data = new Uint8Array(width * height);
  const within = (place: number, length: number): number => Math.min(Math.max(place, 0), length - 1);
  for (let y = 0, i = 0; y < height; y++) {
    const row = within(y - rectangle.top, rectangle.height) * rectangle.width;
    for (let x = 0; x < width; x++, i++) {
      data[i] = 255 * maps[(row + within(x - rectangle.left, rectangle.width)) * MAP + KEPT]!;
    }
  }
  return { width, height, data };
}
