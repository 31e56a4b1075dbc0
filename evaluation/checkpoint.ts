/** The checkpoint that is measured: its digest, its native size, its edits, and its autoencoder alone. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { createEngine, encodePicture, type Engine, type Picture, type Size } from "../src/index.ts";
import { ABOUT } from "../src/engine/identity.ts";
import { decodePicture } from "../src/images/decode.ts";
import { cropPicture, padPicture, pictureToPixels, pixelsToPicture } from "../src/images/picture.ts";
import type { Networks } from "../src/pipelines/flux1-kontext/networks.ts";
import { loadNetworks } from "../src/pipelines/flux1-kontext/model.ts";
import { type NativeScale, targetSize } from "../src/engine/sizes.ts";
import { readAutoencoderConfig } from "../src/models/autoencoders/autoencoder-config.ts";
import { Checkpoint } from "../src/weights/checkpoint.ts";

/** Pages and images beside the networks, which change no edit. */
const NO_PART = /\.(?:md|png|jpe?g)$/i;

/** SHA-256 of the names and bytes of a checkpoint's files. */
export async function checkpointDigest(folder: string): Promise<string> {
  const hash = createHash("sha256");
  const names = await readdir(folder, { recursive: true });
  for (const name of names.toSorted()) {
    const file = path.join(folder, name);
    const found = await stat(file);
    if (!found.isFile() || NO_PART.test(name) || ABOUT.has(name)) continue;
    hash.update(`${name.split(path.sep).join("/")} ${found.size}\n`);
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}

/** The native scale of a checkpoint's networks, without loading them. */
export async function nativeScaleOf(folder: string): Promise<NativeScale> {
  const checkpoint = await Checkpoint.open(folder);
  const { sampleSize, scaleFactor } = readAutoencoderConfig(await checkpoint.config("vae/config.json"));
  return { area: sampleSize ** 2, grid: 2 * scaleFactor };
}

/** The size at which the network draws an image of this size: nothing is enlarged or stretched. */
export function drawnSize({ width, height }: Size, native: NativeScale): Size {
  const { content } = targetSize({ width, height }, native);
  // Rounding can leave a size just above the native area, which the engine would reduce once more.
  return content.width === width && content.height === height ? content : drawnSize(content, native);
}

export interface Order {
  prompt: string;
  seed: number;
  guidance: number;
  numSteps: number;
}

export interface Drawn {
  picture: Picture;
  /** From the encoded source to the encoded result. */
  seconds: number;
}

export interface Editor {
  edit(source: Picture, order: Order): Promise<Drawn>;
  close(): Promise<void>;
}

/** Loads the checkpoint with the first edit. */
export function createEditor(checkpoint: string): Editor {
  let loading: Promise<Engine> | undefined;
  const load = async (): Promise<Engine> => {
    const engine = await createEngine({ checkpoint, safety: { isOn: false } });
    await warmUp(engine);
    return engine;
  };
  return {
    async edit(source, order) {
      loading ??= load();
      const engine = await loading;
      const { width, height } = source;
      const image = await encodePicture(source, "png");
      const result = await engine.edit({ ...order, image, size: { width, height } });
      const { workingSize } = result;
      if (workingSize.width !== width || workingSize.height !== height) {
        throw new Error(
          `${width} x ${height} pixels were asked for, of which the network drew ${workingSize.width} x ${workingSize.height}.`,
        );
      }
      return { picture: await decodePicture(result.image), seconds: result.seconds.total };
    },
    async close() {
      await (await loading)?.close();
    },
  };
}

/** The first edit of a process is slower and would distort the times. */
async function warmUp(engine: Engine): Promise<void> {
  const { nativeSize: side } = engine.checkpoint;
  const source = { width: side, height: side, data: new Uint8Array(3 * side * side).fill(127) };
  await engine.edit({ image: await encodePicture(source, "png"), prompt: "nothing", numSteps: 1, seed: 0 });
}

export interface Autoencoder {
  /** Encodes and decodes an image that has the size at which the network draws. */
  passThrough(picture: Picture): Promise<Picture>;
  close(): Promise<void>;
}

/** Loads the networks of the checkpoint with the first image, because the engine does not expose its own. */
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
