/** The images of a request: inline ones are stored; this server's own results are found in the storage. */
import { readFile } from "node:fs/promises";
import { invalid } from "../errors.ts";
import { inlineImage, parseImageField } from "../images/image-field.ts";
import { acceptedFormat } from "../images/accepted-format.ts";
import { aboutMask, wrongMaskSize } from "../engine/mask-rules.ts";
import { statedSize } from "../images/stated-size.ts";
import type { JobImage, JobImages, StoredSource } from "../jobs/job.ts";
import type { SignedUrls } from "../storage/signed-urls.ts";
import { createKey, type Storage } from "../storage/storage.ts";
import { ownPart } from "./origin.ts";
import { checkPublic, type IsRefusedAddress } from "./public-address.ts";

export interface InputImageOptions {
  storage: Pick<Storage, "put" | "delete">;
  signedUrls: SignedUrls;
  /** The shipped example images: name to file. */
  examples: ReadonlyMap<string, string>;
  maxBytes: number;
  /** Whether an inline image must look like a picture already. @default false: who decodes it says so */
  isPicture?: boolean | undefined;
  /** Called before that many bytes are stored. @throws RetouchError if they may not be */
  admit: (bytes: number) => Promise<void>;
  isRefusedAddress: IsRefusedAddress;
}

export interface InputImage {
  image: JobImage;
  /** What was stored for this request alone; absent if nothing was. */
  source?: StoredSource | undefined;
  /** Deletes what was stored for this request alone; does nothing if nothing was. */
  discard(): Promise<void>;
}

const FILES = "/files/";
const EXAMPLES = "/examples/";

/** All images of a request. */
export interface InputImages extends JobImages {
  sources: readonly StoredSource[];
  /** Deletes what was stored for this request alone. */
  discard(): Promise<void>;
}

/**
 * Stores or finds the images of a request, all of them or none.
 * @throws RetouchError as {@link findInputImage}, OUTPUT_UNWRITABLE, and what `admit` throws
 */
export async function keepInputImages(
  options: InputImageOptions,
  { images, mask }: { images: readonly (GivenImage | FoundImage)[]; mask?: GivenImage | undefined },
  origins: readonly string[],
): Promise<InputImages> {
  const kept: InputImage[] = [];
  const discard = async (): Promise<void> => {
    await Promise.all(kept.map((one) => one.discard()));
  };
  try {
    for (const given of images) kept.push(await keepInputImage(options, given, origins));
    if (mask !== undefined) kept.push(await keepMask(options, mask, origins));
    checkMaskSize(kept[0]?.image, mask === undefined ? undefined : kept.at(-1)?.image);
  } catch (error) {
    // The sweeper deletes later what cannot be deleted now.
    await discard().catch(() => {});
    throw error;
  }
  return {
    images: kept.slice(0, images.length).map(({ image }) => image),
    mask: kept[images.length]?.image,
    sources: kept.flatMap(({ source }) => source ?? []),
    discard,
  };
}

/** The same for a mask, which is what its failures are about. What is no picture by its first bytes is refused at once. */
async function keepMask(
  options: InputImageOptions,
  given: GivenImage,
  origins: readonly string[],
): Promise<InputImage> {
  return aboutMask(() => keepInputImage({ ...options, isPicture: true }, given, origins));
}

/**
 * Refuses a mask of another size where both headers state one; turned sides may be equal once they are upright.
 * @throws RetouchError INVALID_PARAMETER
 */
function checkMaskSize(image: JobImage | undefined, mask: JobImage | undefined): void {
  if (image?.kind !== "stored" || mask?.kind !== "stored" || !image.size || !mask.size) return;
  const [own, other] = [image.size, mask.size].map(({ width, height }) =>
    [width, height].toSorted((a, b) => a - b).join(),
  );
  if (own !== other) throw wrongMaskSize(mask.size, image.size);
}

/** A string from the body, or the bytes of a file. */
export type GivenImage = string | Uint8Array;

/** What an image field stands for. */
export type FoundImage =
  /** `sha256` in hex, where it was computed. */
  | { kind: "bytes"; bytes: Uint8Array; sha256?: string | undefined }
  /** A result of this server. */
  | { kind: "stored"; key: string }
  /** Elsewhere: the worker downloads it. */
  | { kind: "url"; url: string };

/**
 * Reads an image field; stores nothing.
 * @param given as `parseImageField` takes it, or the bytes of a file
 * @param origins the origins under which this server is reached
 * @throws RetouchError INVALID_PARAMETER, IMAGE_TOO_LARGE
 */
export async function findInputImage(
  options: Pick<InputImageOptions, "maxBytes" | "examples" | "signedUrls" | "isRefusedAddress">,
  given: GivenImage,
  origins: readonly string[],
): Promise<FoundImage> {
  const { maxBytes } = options;
  const field = typeof given === "string" ? parseImageField(given, maxBytes) : inlineImage(given, maxBytes);
  if (field.kind === "inline") return { kind: "bytes", bytes: field.bytes };
  const own = ownPart(field.url, origins);
  if (own?.pathname.startsWith(FILES)) return { kind: "stored", key: storedKey(options, own) };
  const example = own?.pathname.startsWith(EXAMPLES)
    ? options.examples.get(own.pathname.slice(EXAMPLES.length))
    : undefined;
  if (example !== undefined) return { kind: "bytes", bytes: await readFile(example) };
  // This server's own images, above, are found without a connection, wherever it listens.
  checkPublic("image", new URL(field.url), options.isRefusedAddress);
  return { kind: "url", url: field.url };
}

/**
 * Stores the image, or finds it in the storage; a URL elsewhere stays a URL.
 * @throws RetouchError as {@link findInputImage}, OUTPUT_UNWRITABLE, and what `admit` throws
 */
async function keepInputImage(
  options: InputImageOptions,
  given: GivenImage | FoundImage,
  origins: readonly string[],
): Promise<InputImage> {
  const isFound = typeof given === "object" && "kind" in given;
  const image = isFound ? given : await findInputImage(options, given, origins);
  if (image.kind !== "bytes") return { image, discard: async () => {} };
  if (options.isPicture) acceptedFormat(image.bytes, undefined);
  return store(options, image);
}

async function store(
  { storage, admit }: InputImageOptions,
  { bytes, sha256 }: Extract<FoundImage, { kind: "bytes" }>,
): Promise<InputImage> {
  const sourceBytes = bytes.byteLength;
  await admit(sourceBytes);
  const key = createKey("inputs", "bin");
  await storage.put(key, bytes);
  const discard = (): Promise<void> => storage.delete(key);
  const image = { kind: "stored", key, size: statedSize(bytes), sha256 } as const;
  return { image, source: { key, bytes: sourceBytes }, discard };
}

/** The result of an earlier edit, by the URL that this server gave it. */
function storedKey(
  { signedUrls }: Pick<InputImageOptions, "signedUrls">,
  { pathname, searchParams }: URL,
): string {
  const name = pathname.slice(FILES.length);
  const verified = signedUrls.verify(name, Object.fromEntries(searchParams), new Date());
  if (verified.state === "valid") return verified.key;
  const reason = verified.state === "expired" ? "has expired" : "is not one that this server gave out";
  throw invalid("about", { field: "image", sentence: `the address ${reason}.` });
}
