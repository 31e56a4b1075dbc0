/** The package that the checker's network comes from: one version, held to its hash, unpacked where it is told. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";

export const NSFWJS = "nsfwjs@4.4.0";
const INTEGRITY =
  "sha512-krC1fgeTLXtZwgdpKJ0jm7hqv0gTSRQQRL+FhOaxaJ9Wj92t42BO3csO2odwgTAgZgf2RvkwPtp0R8Aa7dc+MA==";
const FOLDER = path.join("dist", "models", "mobilenet_v2_mid");

export interface StoredWeight {
  name: string;
  shape: readonly number[];
  /** A number of the network is `min + scale * byte`. */
  bytes: Uint8Array;
  min: number;
  scale: number;
}

/** What TensorFlow.js says about a weight. */
interface ManifestEntry {
  name: string;
  shape: number[];
  quantization: { min: number; scale: number; dtype: string };
}

const run = promisify(execFile);

/** Downloads and unpacks the package below `folder`. @throws Error if it is not the one that the hash names */
export async function unpackNsfwjs(folder: string): Promise<string> {
  const { stdout } = await run("npm", ["pack", NSFWJS, "--silent"], { cwd: folder });
  const tarball = path.join(folder, stdout.trim());
  const hash = createHash("sha512").update(await readFile(tarball));
  if (`sha512-${hash.digest("base64")}` !== INTEGRITY) {
    throw new Error(`${tarball} is not the ${NSFWJS} that is known here.`);
  }
  await run("tar", ["-xzf", tarball], { cwd: folder });
  return path.join(folder, "package");
}

/** Reads the weights of the package's middle network: modules that hold an object, and texts in base64. */
export function readMobileNetMid(packageFolder: string): StoredWeight[] {
  const require = createRequire(import.meta.url);
  const load = (file: string): unknown => require(path.join(packageFolder, FOLDER, file));
  const { weightsManifest } = load("model.min.js") as { weightsManifest: [{ weights: ManifestEntry[] }] };
  const shards = [1, 2].map((shard) =>
    Buffer.from(load(`group1-shard${shard}of2.min.js`) as string, "base64"),
  );
  const bytes = Buffer.concat(shards);
  let offset = 0;
  const weights = weightsManifest[0].weights.map(({ name, shape, quantization }) => {
    const { min, scale, dtype } = quantization;
    if (dtype !== "uint8") throw new Error(`${name} is stored as ${dtype}.`);
    const start = offset;
    offset += shape.reduce((product, dim) => product * dim, 1);
    return { name, shape, bytes: bytes.subarray(start, offset), min, scale };
  });
  if (offset !== bytes.length) throw new Error(`The weights take ${offset} bytes of ${bytes.length}.`);
  return weights;
}
