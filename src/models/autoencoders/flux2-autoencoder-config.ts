/** The sizes and switches of FLUX.2's autoencoder, from `vae/config.json`; absent fields have diffusers' defaults. */
import { RetouchError } from "../../errors.ts";
import { type Config, shownValue } from "../../weights/config.ts";
import { type AutoencoderSizes, readAutoencoderSizes } from "./autoencoder-config.ts";

/** The sizes of an `AutoencoderKLFlux2`. */
export interface Flux2AutoencoderConfig extends AutoencoderSizes {
  /** Added to the stored variances that the latents are normalised by. */
  batchNormEpsilon: number;
}

/** Side of the square of latent cells that is one token: the pipelines have it as a number in their code. */
export const PATCH_SIDE = 2;

/** @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and field */
export function readFlux2AutoencoderConfig(config: Config): Flux2AutoencoderConfig {
  const fields = config.withNulls();
  const sizes = readAutoencoderSizes(
    config,
    { widths: [128, 256, 512, 512], layersPerBlock: 2, latentChannels: 32 },
    "decoder_block_out_channels",
  );
  const patch = fields.get("patch_size") ?? [PATCH_SIDE, PATCH_SIDE];
  const isSquare = Array.isArray(patch) && patch.length === 2 && patch.every((side) => side === PATCH_SIDE);
  if (!isSquare) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, patch_size is ${shownValue(patch)}; FLUX.2's pipelines work on patches of [${PATCH_SIDE},${PATCH_SIDE}].`,
    );
  }
  return { ...sizes, batchNormEpsilon: fields.numberWithin("batch_norm_eps", { min: 0, max: 1 }, 1e-4) };
}
