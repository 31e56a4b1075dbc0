/** Gets an image's bytes from wherever the user keeps it: a file, a URL, a data URL or standard input. */
import { createReadStream } from "node:fs";
import { type FileHandle, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { cutText, failure, messageOf, RetouchError } from "../errors.ts";
import { createHttpClient, type HttpClient } from "../net/http-client.ts";
import { collectBytes, tooLarge } from "./collect.ts";
import { decodePicture } from "./decode.ts";
import { readDataUrl } from "./data-url.ts";
import { readHttpUrl } from "./http-url.ts";
import { systemErrorCode } from "../files/system-error.ts";

const MAX_BYTES = 64 * 1024 * 1024;
/** Longest path that a sentence shows; systems allow 4,096 bytes. */
const MAX_SHOWN_LENGTH = 1000;

/** Limits and permissions for {@link readImageSource}. */
export interface ReadImageSourceOptions {
  /** @default 64 MiB */
  maxBytes?: number | undefined;
  /** For a URL, from the first connection to the last byte; other sources have no time limit. @default 30,000 */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /**
   * Also decodes the image once, so that a damaged or unsupported one is refused here, by its name, and not after an
   * engine was loaded for it. @default false
   */
  isVerified?: boolean | undefined;
  /** What `-` reads. @default process.stdin */
  stdin?: AsyncIterable<Uint8Array> | undefined;
}

/** An image's bytes, still encoded. */
export interface ImageSource {
  bytes: Uint8Array;
  /** What error messages call the image: its path or URL, without passwords and query. */
  name: string;
  /** Set if the image is a file. */
  path?: string | undefined;
}

/** How a source is reached, for a program that may not access everything its user can. @internal */
export interface SourceAccess {
  /** Decides which IP addresses may be connected to. */
  client: HttpClient;
  /** Opens a file, or refuses with a sentence. */
  open(path: string): Promise<FileHandle>;
}

/**
 * Reads an image from a path, a `file:`, `http:`, `https:` or `data:` URL, or `-` for standard input.
 * @throws RetouchError IMAGE_UNREADABLE, IMAGE_TOO_LARGE (more than `maxBytes`), ABORTED; if verified, also
 * IMAGE_INVALID and IMAGE_UNSUPPORTED
 */
export async function readImageSource(
  source: string,
  options: ReadImageSourceOptions = {},
): Promise<ImageSource> {
  return readSourceThrough(undefined, source, options);
}

/** The same through a given access. @throws as {@link readImageSource}, and RetouchErrors of the access @internal */
export async function readSourceThrough(
  access: SourceAccess | undefined,
  source: string,
  options: ReadImageSourceOptions = {},
): Promise<ImageSource> {
  const found = await readBytes(access, source, options);
  if (options.isVerified) await decodePicture(found.bytes, { name: found.name });
  return found;
}

async function readBytes(
  access: SourceAccess | undefined,
  source: string,
  options: ReadImageSourceOptions,
): Promise<ImageSource> {
  const { maxBytes = MAX_BYTES, timeoutMs = 30_000, signal, stdin = process.stdin } = options;
  if (signal?.aborted) throw new RetouchError("ABORTED", "Reading the image was aborted.");
  if (source === "") throw new RetouchError("IMAGE_UNREADABLE", "The image's path is empty.");
  if (source === "-") {
    const name = "standard input";
    return { bytes: await collect(stdin, { name, maxBytes, signal }), name };
  }
  const scheme = /^(file|https?|data):/i.exec(source)?.[1]?.toLowerCase();
  switch (scheme) {
    case "data":
      return readDataUrl(source, maxBytes);
    case "http":
    case "https":
      // Without a given access, from anywhere that this machine's user can reach.
      return readHttpUrl(source, {
        maxBytes,
        timeoutMs,
        signal,
        client: access?.client ?? createHttpClient(),
      });
    default: {
      const path = scheme === "file" ? pathOfFileUrl(source) : source;
      const limits = { name: path, maxBytes, signal };
      return access ? readOpened(() => access.open(path), limits) : readPath(path, limits);
    }
  }
}

async function readOpened(
  open: () => Promise<FileHandle>,
  limits: { name: string; maxBytes: number; signal: AbortSignal | undefined },
): Promise<ImageSource> {
  const { name, maxBytes } = limits;
  const handle = await open().catch((error: unknown) => Promise.reject(unreadable(name, error)));
  try {
    if ((await handle.stat()).size > maxBytes) throw tooLarge(name, maxBytes);
    const bytes = await collect(handle.createReadStream({ autoClose: false }), limits);
    return { bytes, name, path: name };
  } finally {
    await handle.close();
  }
}

async function readPath(
  path: string,
  limits: { maxBytes: number; signal: AbortSignal | undefined },
): Promise<ImageSource> {
  try {
    const { size } = await stat(path);
    if (size > limits.maxBytes) throw tooLarge(path, limits.maxBytes);
  } catch (error) {
    throw unreadable(path, error);
  }
  const bytes = await collect(createReadStream(path, { signal: limits.signal }), { name: path, ...limits });
  return { bytes, name: path, path };
}

async function collect(
  chunks: AsyncIterable<Uint8Array>,
  limits: { name: string; maxBytes: number; signal: AbortSignal | undefined },
): Promise<Uint8Array> {
  try {
    return await collectBytes(chunks, limits);
  } catch (error) {
    if (limits.signal?.aborted) throw new RetouchError("ABORTED", "Reading the image was aborted.");
    throw unreadable(limits.name, error);
  }
}

function pathOfFileUrl(source: string): string {
  try {
    return fileURLToPath(source);
  } catch (cause) {
    throw new RetouchError(
      "IMAGE_UNREADABLE",
      failure("imageFileUrl", { source: cutText(source, MAX_SHOWN_LENGTH) }),
      { cause },
    );
  }
}

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of its path is a file, not a folder",
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  EISDIR: "it is a folder",
  ENAMETOOLONG: "its name is too long",
  ELOOP: "its symbolic links go round in a circle",
};

function unreadable(name: string, cause: unknown): RetouchError {
  if (cause instanceof RetouchError) return cause;
  const code = systemErrorCode(cause);
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(name)?.[1];
  const reason =
    scheme !== undefined && code === "ENOENT"
      ? `addresses with ${scheme}: are not supported, only file:, http:, https: and data:`
      : (code !== undefined && REASONS[code]) || messageOf(cause);
  const source = cutText(name, MAX_SHOWN_LENGTH);
  return new RetouchError("IMAGE_UNREADABLE", failure("imageUnreadable", { source, reason }), { cause });
}
