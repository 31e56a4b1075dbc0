/**
 * The database that ships with this package: a cluster with our tables and the queue's, so that a first start
 * unpacks it instead of running initdb, which takes some seconds and 900 MB. `npm run database` makes it. It holds
 * tables of one version; later migrations run on it as on any other database.
 *
 * `prepared/database.br` is, compressed with Brotli: the length of a header in four bytes, the header (JSON), and the
 * contents of all files in its order. `prepared/database.json` says what it is of.
 */
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";
import { brotliCompressSync, brotliDecompress, constants } from "node:zlib";
import { sha256 } from "../sha256.ts";
import { syncFolder, syncTree } from "./folder-sync.ts";

/** Schema whose tables the prepared database has. */
export const PREPARED_SCHEMA = "retouch";

interface Header {
  /** Paths from the cluster's folder, a folder before what is in it. */
  folders: string[];
  files: { path: string; bytes: number }[];
}

/** What `prepared/database.json` says. */
interface Manifest {
  /** Version of the engine, on whose exact build a cluster's catalogue depends. */
  pglite: string;
  sha256: string;
}

const ARCHIVE = new URL("../../prepared/database.br", import.meta.url);
const MANIFEST = new URL("../../prepared/database.json", import.meta.url);
const HEADER_LENGTH_BYTES = 4;

/**
 * Writes the prepared cluster into `folder`, which must be missing, and syncs it.
 * @returns why it was left undone, where it was
 */
export async function unpackPrepared(folder: string): Promise<string | undefined> {
  const archive = readPrepared();
  if (typeof archive === "string") return archive;
  const bytes = await promisify(brotliDecompress)(archive);
  const contents = HEADER_LENGTH_BYTES + bytes.readUInt32LE(0);
  const header = JSON.parse(bytes.toString("utf8", HEADER_LENGTH_BYTES, contents)) as Header;
  fs.mkdirSync(folder, { mode: 0o700 });
  for (const name of header.folders) fs.mkdirSync(path.join(folder, name), { mode: 0o700 });
  let offset = contents;
  for (const file of header.files) {
    const end = offset + file.bytes;
    const descriptor = fs.openSync(path.join(folder, file.path), "wx", 0o600);
    try {
      for (let at = offset; at < end;) at += fs.writeSync(descriptor, bytes, at, end - at);
    } finally {
      fs.closeSync(descriptor);
    }
    offset = end;
  }
  await syncTree(folder);
  return undefined;
}

/** @returns the archive, or why there is none */
function readPrepared(): Buffer | string {
  let manifest: Manifest;
  let archive: Buffer;
  try {
    manifest = JSON.parse(fs.readFileSync(MANIFEST, "utf8")) as Manifest;
    archive = fs.readFileSync(ARCHIVE);
  } catch {
    return "the prepared database is missing";
  }
  const version = engineVersion();
  if (manifest.pglite !== version)
    return `the prepared database is for PGlite ${manifest.pglite}, not ${version}`;
  if (sha256(archive) !== manifest.sha256) return "the prepared database is damaged";
  return archive;
}

/** Packs the closed cluster in `folder`, for `npm run database`. */
export function packPrepared(folder: string): void {
  const header: Header = { folders: [], files: [] };
  const contents: Buffer[] = [];
  for (const name of fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted()) {
    const file = path.join(folder, name);
    const posix = name.split(path.sep).join("/");
    if (fs.statSync(file).isDirectory()) {
      header.folders.push(posix);
      continue;
    }
    const content = fs.readFileSync(file);
    header.files.push({ path: posix, bytes: content.length });
    contents.push(content);
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(HEADER_LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  const archive = brotliCompressSync(Buffer.concat([length, json, ...contents]), {
    params: { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS },
  });
  const manifest: Manifest = { pglite: engineVersion(), sha256: sha256(archive) };
  fs.mkdirSync(new URL(".", ARCHIVE), { recursive: true });
  fs.writeFileSync(ARCHIVE, archive);
  fs.writeFileSync(MANIFEST, `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/** Makes `made`, which is synced, the folder `folder`, which must be missing or empty. */
export function putInPlace(made: string, folder: string): void {
  // Not every system renames onto an empty folder.
  if (process.platform === "win32" && fs.existsSync(folder)) fs.rmdirSync(folder);
  fs.renameSync(made, folder);
  syncFolder(path.dirname(folder));
}

function engineVersion(): string {
  const entry = createRequire(import.meta.url).resolve("@electric-sql/pglite");
  const manifest = JSON.parse(fs.readFileSync(path.join(entry, "../../package.json"), "utf8"));
  return (manifest as { version: string }).version;
}
