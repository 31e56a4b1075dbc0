/**
 * The held-out set on disk: its list of scenes and chains, its images, and a digest of all of it. The list is checked
 * once and trusted afterwards.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { messageOf, type Picture, type Size } from "../src/index.ts";
import { decodePicture } from "../src/images/decode.ts";
import { SMALL_SIDE } from "./measures.ts";

export interface Scene {
  /** Its index in the list, which names its files. */
  id: number;
  kind: string;
  width: number;
  height: number;
  instruction: string;
  seed: number;
  /** Whether guidance and steps are measured on it. */
  probe: boolean;
}

export interface Chain {
  id: number;
  width: number;
  height: number;
  steps: readonly { kind: string; instruction: string }[];
}

export interface SceneList {
  side: number;
  scenes: readonly Scene[];
  chains: readonly Chain[];
}

/** The kind of edit that changes nothing. */
export const NOTHING = "nothing";
/** Edits per chain. */
export const CHAIN_LENGTH = 5;

/** @throws Error with a sentence that names `file` and what is wrong in it */
export function parseSceneList(text: string, file: string): SceneList {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new Error(`${file} is not valid JSON.`);
  }
  const at = fieldsOf(list, "its top", file);
  const scenes = at.list("scenes").map((value, place) => readScene(value, place, file));
  if (scenes.length === 0) throw new Error(`${file} lists no scenes.`);
  return {
    side: at.count("side"),
    scenes,
    chains: at.list("chains").map((value, place) => readChain(value, place, file)),
  };
}

function readScene(value: unknown, place: number, file: string): Scene {
  const at = fieldsOf(value, `scenes[${place}]`, file);
  return {
    id: at.id(place),
    kind: at.text("kind"),
    width: at.count("width"),
    height: at.count("height"),
    instruction: at.text("instruction"),
    seed: at.natural("seed"),
    probe: at.boolean("probe"),
  };
}

function readChain(value: unknown, place: number, file: string): Chain {
  const at = fieldsOf(value, `chains[${place}]`, file);
  const steps = at.list("steps").map((step, number) => {
    const inStep = fieldsOf(step, `chains[${place}].steps[${number}]`, file);
    return { kind: inStep.text("kind"), instruction: inStep.text("instruction") };
  });
  if (steps.length !== CHAIN_LENGTH) {
    throw new Error(`In ${file}, chains[${place}] has ${steps.length} steps instead of ${CHAIN_LENGTH}.`);
  }
  return { id: at.id(place), width: at.count("width"), height: at.count("height"), steps };
}

/** Reads the fields of an object, `place` being its place in the file. */
function fieldsOf(value: unknown, place: string, file: string) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`In ${file}, ${place} is not an object.`);
  }
  const fields = value as Record<string, unknown>;
  const read = <Type>(name: string, wanted: string, isWanted: (field: unknown) => boolean): Type => {
    const field = fields[name];
    if (isWanted(field)) return field as Type;
    const found = field === undefined ? "missing" : JSON.stringify(field);
    throw new Error(`In ${file}, ${name} of ${place} must be ${wanted}, and is ${found}.`);
  };
  const isNatural = (field: unknown): boolean => Number.isSafeInteger(field) && (field as number) >= 0;
  return {
    natural: (name: string) => read<number>(name, "a whole number", isNatural),
    count: (name: string) =>
      read<number>(name, "a whole number above 0", (field) => isNatural(field) && field !== 0),
    text: (name: string) =>
      read<string>(name, "a string", (field) => typeof field === "string" && field.trim() !== ""),
    boolean: (name: string) => read<boolean>(name, "true or false", (field) => typeof field === "boolean"),
    list: (name: string) => read<unknown[]>(name, "a list", Array.isArray),
    id: (expected: number) => read<number>("id", `${expected}`, (field) => field === expected),
  };
}

/** Wrong answers per scene, beside the source. */
export const CANDIDATES = 9;
const CHANNELS = 3;

export interface EvaluationSet extends SceneList {
  /** SHA-256 of every byte of the set. */
  digest: string;
  scene(scene: Scene): Promise<{ source: Picture; truth: Picture; candidates: Uint8Array[] }>;
  /** The source, and the truth after each edit. */
  chain(chain: Chain): Promise<{ source: Picture; truths: Picture[] }>;
}

/**
 * Checks every file of the set before the first of many edits; decodes only the candidates.
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
      throw new Error(`${file} is not an image: ${messageOf(error)}.`, { cause: error });
    });
  if (found.width !== wanted.width || found.height !== wanted.height) {
    throw new Error(
      `${file} has ${found.width} x ${found.height} pixels; ${wanted.width} x ${wanted.height} are wanted.`,
    );
  }
}

/** Splits an image into images of one height, top to bottom. */
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
