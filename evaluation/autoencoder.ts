/** What the autoencoder alone costs: no result can be nearer to its truth than this. */
import type { Picture } from "../src/index.ts";
import { cropPicture, padPicture, pictureToPixels, pixelsToPicture } from "../src/images/picture.ts";
import { loadNetworks } from "../src/pipelines/flux1-kontext/pipeline.ts";
import type { Networks } from "../src/pipelines/flux1-kontext/networks.ts";
import { targetSize } from "../src/engine/sizes.ts";
import { Checkpoint } from "../src/weights/checkpoint.ts";

export interface Autoencoder {
  /** The picture, encoded and decoded; it has the size at which the network draws. */
  passThrough(picture: Picture): Promise<Picture>;
  close(): Promise<void>;
}

/** Loads the networks of the checkpoint, which the engine does not hand out, with the first picture. */
export function createAutoencoder(checkpoint: string): Autoencoder {
  let loading: Promise<Networks> | undefined;
  return {
    async passThrough(picture) {
      loading ??= Checkpoint.open(checkpoint).then((opened) => loadNetworks(opened, { threads: 0 }));
      const networks = await loading;
      const { canvas } = targetSize(picture, networks.native);
      const padded = padPicture(picture, canvas.width, canvas.height);
      const latents = await networks.encodePixels(pictureToPixels(padded), canvas);
      const pixels = await networks.decodeLatents(latents, networks.latentSize(canvas));
      return cropPicture(pixelsToPicture(pixels, canvas.width, canvas.height), picture.width, picture.height);
    },
    async close() {
      await (await loading)?.dispose();
    },
  };
}
