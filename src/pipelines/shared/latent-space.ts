/** What a recipe needs of an autoencoder: its latents as a grid of cells, each network run on whole images or in tiles. */
import type { ComponentRunner } from "../../engine/model.ts";
import type { LatentCodec, LatentSketcher } from "../../engine/preview.ts";
import type { Size } from "../../engine/request.ts";
import { isTiled, type Planes, runInTiles } from "../../engine/tiles.ts";
import type { Tensor } from "../../runtime/session.ts";

export interface LatentSpace extends LatentCodec {
  /** As in {@link ComponentRunner}: tiles change what an encoder makes of an image. */
  readonly tileSide: number | undefined;
  /** The size of the latent grid under a canvas of pixels. */
  latentSize(canvas: Size): Size;
  /** Makes rough, fast previews of latents; the first call fits the map to the autoencoder. */
  sketcher(): Promise<LatentSketcher>;
}

/** How one half of an autoencoder goes over an image: from pixels to cells, or back. */
export interface Half {
  to: "cells" | "pixels";
  /** Pixels along the side of one of its cells. */
  cellSide: number;
  /** As in `TileSides`. */
  patch?: number;
}

/** Runs one half of the autoencoder on the whole image, or in tiles if the plan says so. */
export async function byTiles(
  { tileSide }: Pick<ComponentRunner, "tileSide">,
  { to, cellSide, patch }: Half,
  whole: Planes,
  run: (tile: Planes) => Promise<Planes>,
): Promise<Planes> {
  if (tileSide === undefined) return run(whole);
  const cells = tileSide / cellSide;
  const [input, output] = to === "cells" ? [tileSide, cells] : [cells, tileSide];
  return isTiled(whole, input) ? runInTiles(whole, { input, output, patch }, run) : run(whole);
}

/** Adds a batch dimension of 1 to an image or grid. */
export const tensorOf = ({ data, channels, width, height }: Planes): Tensor => ({
  data,
  shape: [1, channels, height, width],
});

export function planesOf({ data, shape }: Tensor, channels: number): Planes {
  const [, , height, width] = shape as [number, number, number, number];
  return { data: data as Float32Array, channels, width, height };
}
