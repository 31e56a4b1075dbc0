/**
 * The cache of Hugging Face's tools, in the layout of Python's huggingface_hub, so that neither downloads what the
 * other already has: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 *
 *     models--org--name/blobs/OID                     the bytes     models--org--name/refs/main
 * the commit of a branch or tag     models--org--name/snapshots/COMMIT/vae/config.json -> ../../../blobs/OID
 */
import { copyFile, mkdir, readFile, rename, rm, stat, statfs, symlink } from "node:fs/promises";
import path from "node:path";
import { RetouchError } from "../errors.ts";
import { writeFileAtomically } from "../files/write-atomically.ts";
import type { HubFile } from "./listing.ts";
import { isCommit, type Repository } from "./repository.ts";

export interface Cache {
  readonly folder: string;
  /** The path of a file's bytes. */
  blob(file: HubFile): string;
  /** The folder that mirrors the repository at a commit. */
  snapshot(commit: string): string;
  /** Whether the snapshot has the file, judged by its size: its content was checked when it was downloaded. */
  has(file: HubFile, commit: string): Promise<boolean>;
  /** Whether the bytes are there, for this commit or another one. */
  hasBlob(file: HubFile): Promise<boolean>;
  /** Links a file whose bytes are there into the snapshot. @param isNew whether nothing else can refer to them yet */
  link(file: HubFile, commit: string, isNew: boolean): Promise<void>;
  /** Records which commit a revision points to. */
  writeReference(revision: string, commit: string): Promise<void>;
}

type Symlink = typeof symlink;

/** The errors of file systems, and of Windows, if a user may not create links. */
const NO_LINKS = new Set(["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL"]);

/** @param makeLink @default the system's */
export function openCache(cacheFolder: string, name: string, makeLink: Symlink = symlink): Cache {
  const folder = repositoryFolder(cacheFolder, name);
  const blob = ({ oid }: HubFile): string => path.join(folder, "blobs", oid);
  const snapshot = (commit: string): string => path.join(folder, "snapshots", commit);
  const hasSize = async (file: string, size: number): Promise<boolean> =>
    (await stat(file).catch(() => undefined))?.size === size;
  return {
    folder,
    blob,
    snapshot,
    has: (file, commit) => hasSize(path.join(snapshot(commit), file.path), file.size),
    hasBlob: (file) => hasSize(blob(file), file.size),
    async link(file, commit, isNew) {
      const place = path.join(snapshot(commit), file.path);
      await mkdir(path.dirname(place), { recursive: true });
      await rm(place, { force: true });
      try {
        await makeLink(path.relative(path.dirname(place), blob(file)), place);
      } catch (error) {
        if (!NO_LINKS.has(String((error as NodeJS.ErrnoException).code))) throw error;
        await (isNew ? rename(blob(file), place) : copyFile(blob(file), place));
      }
    },
    async writeReference(revision, commit) {
      if (revision === commit) return;
      const place = path.join(folder, "refs", ...revision.split("/"));
      await writeFileAtomically(place, Buffer.from(commit));
    },
  };
}

/** The folder of a revision's snapshot, if it is in the cache. */
export async function findSnapshot(
  cacheFolder: string,
  { name, revision }: Repository,
): Promise<string | undefined> {
  const folder = repositoryFolder(cacheFolder, name);
  const reference = path.join(folder, "refs", ...revision.split("/"));
  const commit = isCommit(revision) ? revision : (await readFile(reference, "utf8").catch(() => "")).trim();
  if (!isCommit(commit)) return undefined;
  const snapshot = path.join(folder, "snapshots", commit);
  return (await stat(snapshot).catch(() => undefined))?.isDirectory() ? snapshot : undefined;
}

function repositoryFolder(cacheFolder: string, name: string): string {
  return path.join(cacheFolder, `models--${name.replace("/", "--")}`);
}

/** Bytes that this user may still write to the file system of a folder, which need not exist yet. */
export async function freeBytes(folder: string): Promise<number> {
  for (let place = folder; ; place = path.dirname(place)) {
    const found = await statfs(place).catch(() => undefined);
    if (found !== undefined) return found.bavail * found.bsize;
    if (place === path.dirname(place)) return Infinity;
  }
}

/** Turns a file system failure into a sentence; returns anything else as it is. */
export function withSentence(error: unknown, cacheFolder: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof RetouchError || !/^E[A-Z]+$/.test(String(code))) return error;
  const sentence =
    code === "ENOSPC" || code === "EDQUOT"
      ? `The disk of ${cacheFolder} is full; make room and run the command again, which goes on from here.`
      : `The cache ${cacheFolder} cannot be written (${code}).`;
  return new RetouchError("OUTPUT_UNWRITABLE", sentence, { cause: error });
}
