/**
 * Encoder and decoder of FLUX.2's autoencoder, key for key as diffusers' `AutoencoderKLFlux2` (diffusers 0.42.1,
 * `models/autoencoders/autoencoder_kl_flux2.py`), with what its pipelines do to the latents (`_patchify_latents` and
 * the normalisation by `vae.bn` in `pipelines/flux2/pipeline_flux2_klein.py`): four cells become the channels of one,
 * and each channel is normalised by a mean and a variance that were measured in training.
 */
import { input, scalar, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { autoencoderEncoder, decoderOf } from "./autoencoder-kl.ts";
import { type Flux2AutoencoderConfig, PATCH_SIDE } from "./flux2-autoencoder-config.ts";

/**
 * Builds the encoder: `pixels` [1, 3, height, width] from -1 to 1, both sides multiples of 2 * `scaleFactor`, give the
 * mode of the `latents` [1, 4C, h, w], normalised.
 */
export function flux2AutoencoderEncoder(
  config: Flux2AutoencoderConfig,
  weights: WeightScope,
): Record<"latents", Value> {
  const patches = ops.spaceToDepth(autoencoderEncoder(config, weights).mean, PATCH_SIDE);
  const { mean, deviation } = statistics(config, weights);
  return { latents: ops.div(ops.sub(patches, mean), deviation) };
}

/** Builds the decoder: normalised `latents` [1, 4C, h, w] give `pixels` [1, 3, height, width], about -1 to 1. */
export function flux2AutoencoderDecoder(
  config: Flux2AutoencoderConfig,
  weights: WeightScope,
): Record<"pixels", Value> {
  const latents = input("latents", "float32", [1, patchChannels(config), "h", "w"]);
  const { mean, deviation } = statistics(config, weights);
  const patches = ops.add(ops.mul(latents, deviation), mean);
  return decoderOf(config, weights, ops.depthToSpace(patches, PATCH_SIDE));
}

/** Numbers of a token. */
const patchChannels = ({ latentChannels }: Flux2AutoencoderConfig): number =>
  PATCH_SIDE ** 2 * latentChannels;

/** Mean and standard deviation of the latents' channels, [1, 4C, 1, 1] each. */
function statistics(
  config: Flux2AutoencoderConfig,
  weights: WeightScope,
): Record<"mean" | "deviation", Value> {
  const channels = patchChannels(config);
  const stored = (name: string): Value =>
    ops.reshape(weights.child("bn").tensor(name, [channels]), [1, channels, 1, 1]);
  return {
    mean: stored("running_mean"),
    deviation: ops.sqrt(ops.add(stored("running_var"), scalar(config.batchNormEpsilon))),
  };
}
