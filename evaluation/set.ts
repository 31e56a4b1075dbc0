/** The held-out set on disk: its list, its pictures, and a digest of all of it. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createHash } from "node:crypto";
import sharp from "sharp";
import { messageOf, type Picture, type Size } from "../src/index.ts";
import { decodePicture } from "../src/images/decode.ts";
import { SMALL_SIDE } from "./measures.ts";
import { CHAIN_LENGTH, type Chain, parseSceneList, type Scene, type SceneList } from "./scene-list.ts";

/** Wrong answers of a scene. */
export const CANDIDATES = 9;
const CHANNELS = 3;

export interface EvaluationSet extends SceneList {
  /** Of every byte of the set. */
  digest: string;
  scene(scene: Scene): Promise<{ source: Picture; truth: Picture; candidates: Uint8Array[] }>;
  /** The source, and the truth after each edit. */
  chain(chain: Chain): Promise<{ source: Picture; truths: Picture[] }>;
}

/**
 * Looks at every file of the set, before the first of many edits, and decodes none but the candidates.
 * @throws Error with a sentence that names the file that is missing or wrong
 */
export async function openSet(folder: string): Promise<EvaluationSet> {
  const hash = createHash("sha256");
  const read = async (file: string): Promise<Buffer> => {
    const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      const reason = error.code === "ENOENT" ? "does not exist" : `cannot be read (${error.code})`;
      throw new Error(`The evaluation set's file ${file} ${reason}.`, { cause: error });
    });
    hash.update(`${path.relative(folder, file)} ${bytes.byteLength}\n`).update(bytes);
    return bytes;
  };
  const listFile = path.join(folder, "scenes.json");
  const list = parseSceneList((await read(listFile)).toString("utf8"), listFile);

  const sceneFile = ({ id }: Scene): string =>
    path.join(folder, "scenes", `${String(id).padStart(3, "0")}.webp`);
  const chainFile = ({ id }: Chain): string => path.join(folder, "chains", `${id}.webp`);
  for (const scene of list.scenes) {
    const file = sceneFile(scene);
    await checkSize(file, await read(file), { width: scene.width, height: 2 * scene.height });
  }
  for (const chain of list.chains) {
    const file = chainFile(chain);
    await checkSize(file, await read(file), {
      width: chain.width,
      height: (1 + CHAIN_LENGTH) * chain.height,
    });
  }
  const candidatesFile = path.join(folder, "candidates.webp");
  const candidatesBytes = await read(candidatesFile);
  await checkSize(candidatesFile, candidatesBytes, {
    width: CANDIDATES * SMALL_SIDE,
    height: list.scenes.length * SMALL_SIDE,
  });
  const tiles = await decodePicture(candidatesBytes, { name: candidatesFile });

  const decode = async (file: string): Promise<Picture> =>
    decodePicture(await readFile(file), { name: file });
  return {
    ...list,
    digest: hash.digest("hex"),
    async scene(scene) {
      const [source, truth] = stacked(await decode(sceneFile(scene)), scene.height);
      return { source: source!, truth: truth!, candidates: candidatesOf(tiles, scene.id) };
    },
    async chain(chain) {
      const [source, ...truths] = stacked(await decode(chainFile(chain)), chain.height);
      return { source: source!, truths };
    },
  };
}

async function checkSize(file: string, bytes: Buffer, wanted: Size): Promise<void> {
  const found = await sharp(bytes)
    .metadata()
    .catch((error: unknown) => {
      throw new Error(`${file} is no picture: ${messageOf(error)}.`, { cause: error });
    });
  if (found.width !== wanted.width || found.height !== wanted.height) {
    throw new Error(
      `${file} has ${found.width} x ${found.height} pixels; ${wanted.width} x ${wanted.height} are wanted.`,
    );
  }
}

/** Pictures of one height, one above the other. */
function stacked({ width, height, data }: Picture, partHeight: number): Picture[] {
  const size = width * partHeight * CHANNELS;
  return Array.from({ length: height / partHeight }, (_, part) => ({
    width,
    height: partHeight,
    data: data.subarray(part * size, (part + 1) * size),
  }));
}

/** The tiles of a scene's row, each 32x32. */
function candidatesOf(tiles: Picture, row: number): Uint8Array[] {
  const rowBytes = SMALL_SIDE * CHANNELS;
  return Array.from({ length: CANDIDATES }, (_, tile) => {
    const data = new Uint8Array(SMALL_SIDE * rowBytes);
    for (let y = 0; y < SMALL_SIDE; y++) {
      const start = ((row * SMALL_SIDE + y) * CANDIDATES + tile) * rowBytes;
      data.set(tiles.data.subarray(start, start + rowBytes), y * rowBytes);
    }
    return data;
  });
}
