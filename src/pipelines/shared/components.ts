/** What the networks of several families have in common as data. */
import type { ComponentDefinition, NetworkTrial } from "../../engine/component.ts";
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
    trial: halfTrial("encoder", autoencoder),
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
    trial: halfTrial("decoder", autoencoder),
  };
}

/** Latent cells of the image that a half is tried on: few, and more than the rows of one tile of attention. */
const TRIAL_CELLS = { width: 8, height: 10 } as const;

/** The whole half, which has to be exact: whatever is wrong here is wrong in every picture. */
function halfTrial(half: "encoder" | "decoder", { scaleFactor }: AutoencoderSizes): NetworkTrial {
  const { width, height } = TRIAL_CELLS;
  return {
    part: `the autoencoder's ${half}`,
    dims: { width: width * scaleFactor, height: height * scaleFactor, w: width, h: height },
  };
}

/** Tokens of each kind that a transformer is tried on: numbers that no tile of a kernel divides. */
export const TRIAL_TOKENS = { text: 45, target: 130, reference: 130 } as const;

/** Passes per step: a second one steers away from a negative prompt or from the empty text. */
export const passesOf = ({ isNegativeUsed }: EditExtent): number => (isNegativeUsed ? 2 : 1);

export const pixelsOf = ({ width, height }: Size): number => width * height;
