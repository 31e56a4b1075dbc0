/** The size of a result that the network draws as it is: nothing enlarged, nothing stretched. */
import type { Size } from "../src/index.ts";
import { type NativeScale, targetSize } from "../src/engine/sizes.ts";
import { readAutoencoderConfig } from "../src/models/autoencoders/autoencoder-kl.ts";
import { Checkpoint } from "../src/weights/checkpoint.ts";

/** What the networks of a checkpoint work at, without loading them. */
export async function nativeScaleOf(folder: string): Promise<NativeScale> {
  const checkpoint = await Checkpoint.open(folder);
  const { sampleSize, scaleFactor } = readAutoencoderConfig(await checkpoint.config("vae/config.json"));
  return { area: sampleSize ** 2, grid: 2 * scaleFactor };
}

export function drawnSize({ width, height }: Size, native: NativeScale): Size {
  const { content } = targetSize({ width, height }, native);
  // Rounding can leave a size just above the native area, which the engine would reduce once more.
  return content.width === width && content.height === height ? content : drawnSize(content, native);
}
