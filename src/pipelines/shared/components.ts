/** What the networks of several families have in common as data. */
import type { ComponentDefinition, NetworkTrial } from "../../engine/component.ts";
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
    trial: halfTrial("encoder", autoencoder),
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
    trial: halfTrial("decoder", autoencoder),
  };
}

const FLOAT = 4;

/** Bytes of embedded tokens, float32, for one pass. @param tokens their numbers, by the names of the graph */
export const stateBytes = (tokens: Readonly<Record<string, number>>, width: number): number =>
  Object.values(tokens).reduce((sum, count) => sum + count, 0) * width * FLOAT;

/**
 * What embeds the tokens that are the same in every step of an edit, with weights of the transformer.
 * @param width of the transformer's blocks
 * @param tokensOf the tokens that it embeds, by the names of the graph
 */
export function embeddersComponent(
  width: number,
  tokensOf: (edit: EditExtent) => Readonly<Record<string, number>>,
  { build, trial }: Required<Pick<ComponentDefinition, "build" | "trial">>,
): ComponentDefinition {
  return {
    name: "embedders",
    weights: "transformer",
    folder: "transformer",
    build,
    isAdaptable: true,
    areOutputsHeld: true,
    leastPrecision: "int4",
    workingBytes: (edit) => 2 * stateBytes(tokensOf(edit), width),
    runs: (edit) => [{ times: passesOf(edit), dims: tokensOf(edit) }],
    trial,
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
