/** What the networks of several families have in common as data. */
import type { ComponentDefinition } from "../../engine/component.ts";
import type { EditExtent } from "../../engine/extent.ts";
import type { Size } from "../../engine/request.ts";
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
    runs: ({ references }) => ({
      times: references.length,
      dims: attentionPositions(autoencoder, references.length === 0 ? 0 : pixelsOf(references[0]!)),
    }),
  };
}

/** The half that decodes the result. */
export function decoderComponent(
  autoencoder: AutoencoderSizes,
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
    runs: ({ target }) => ({ times: 1, dims: attentionPositions(autoencoder, pixelsOf(target)) }),
  };
}

/** Passes per step: a second one steers away from a negative prompt or from the empty text. */
export const passesOf = ({ isNegativeUsed }: EditExtent): number => (isNegativeUsed ? 2 : 1);

export const pixelsOf = ({ width, height }: Size): number => width * height;
