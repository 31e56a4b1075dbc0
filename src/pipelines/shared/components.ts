/** What the networks of several families have in common as data. */
import type { ComponentDefinition } from "../../engine/component.ts";
import type { EditExtent } from "../../engine/extent.ts";
import type { Size } from "../../engine/request.ts";
import { tileSizes } from "../../engine/tiles.ts";
import type { AutoencoderSizes } from "../../models/autoencoders/autoencoder-config.ts";
import { attentionPositions } from "../../models/autoencoders/autoencoder-kl.ts";
import { decoderBytes, encoderBytes } from "../../models/autoencoders/memory.ts";

/** The half of an autoencoder that encodes each image. */
export function encoderComponent(
  autoencoder: AutoencoderSizes,
  build: ComponentDefinition["build"],
): ComponentDefinition {
  return {
    name: "encoder",
    weights: "vae",
    folder: "vae",
    build,
    isTiled: true,
    leastPrecision: "fp32",
    // One image at a time.
    workingBytes: ({ references }, tileSide) =>
      Math.max(0, ...references.map((size) => encoderBytes(autoencoder, size, tileSide))),
    runs: ({ references }, tileSide) =>
      references.flatMap((size) =>
        tileSizes(size, tileSide).map((tile) => ({
          times: 1,
          dims: { ...tile, ...attentionPositions(autoencoder, pixelsOf(tile)) },
        })),
      ),
  };
}

/** The half that decodes the result. @param cellSide pixels along the side of one of its input's cells */
export function decoderComponent(
  autoencoder: AutoencoderSizes,
  cellSide: number,
  build: ComponentDefinition["build"],
): ComponentDefinition {
  return {
    name: "decoder",
    weights: "vae",
    folder: "vae",
    build,
    isTiled: true,
    leastPrecision: "fp32",
    workingBytes: ({ target }, tileSide) => decoderBytes(autoencoder, target, tileSide),
    runs: ({ target }, tileSide) =>
      tileSizes(target, tileSide).map((tile) => ({
        times: 1,
        dims: {
          h: tile.height / cellSide,
          w: tile.width / cellSide,
          ...attentionPositions(autoencoder, pixelsOf(tile)),
        },
      })),
  };
}

/** Passes per step: a second one steers away from a negative prompt or from the empty text. */
export const passesOf = ({ isNegativeUsed }: EditExtent): number => (isNegativeUsed ? 2 : 1);

export const pixelsOf = ({ width, height }: Size): number => width * height;
