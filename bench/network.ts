/** What a checkpoint's transformer works on, for an edit of a given size. */
import type { Size } from "../src/index.ts";
import { t5LengthOf } from "../src/pipelines/flux1-kontext/checkpoint.ts";
import { readAutoencoderConfig } from "../src/models/autoencoders/autoencoder-config.ts";
import { type FluxConfig, readFluxConfig } from "../src/models/transformers/flux-config.ts";
import { Tokenizer } from "../src/tokenizers/tokenizer.ts";
import { Checkpoint } from "../src/weights/checkpoint.ts";
import type { TokenCounts } from "../src/pipelines/flux1-kontext/components.ts";

/** @throws Error for a size that Retouch would change, so that the two sides would do different work */
export async function describeNetwork(
  folder: string,
  { width, height }: Size,
): Promise<{ config: FluxConfig; tokens: TokenCounts }> {
  const checkpoint = await Checkpoint.open(folder);
  const { scaleFactor, sampleSize } = readAutoencoderConfig(await checkpoint.config("vae/config.json"));
  const side = 2 * scaleFactor; // A token covers 2 x 2 latent cells.
  if (width % side !== 0 || height % side !== 0 || width * height > sampleSize ** 2) {
    throw new Error(
      `--size must be multiples of ${side} with at most ${sampleSize}x${sampleSize} pixels, not ${width}x${height}.`,
    );
  }
  const images = (width / side) * (height / side);
  const tokenizer = await Tokenizer.read(checkpoint, "tokenizer_2", "t5");
  return {
    config: readFluxConfig(await checkpoint.config("transformer/config.json")),
    tokens: { text: t5LengthOf(tokenizer), target: images, reference: images },
  };
}
