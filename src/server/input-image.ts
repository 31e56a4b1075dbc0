/** The images of a request: inline ones are stored; this server's own results are found in the storage. */
import { readFile } from "node:fs/promises";
import { invalid } from "../errors.ts";
import { inlineImage, parseImageField } from "../images/image-field.ts";
import { acceptedFormat } from "../images/accepted-format.ts";
import { aboutMask, type GivenMask, wrongMaskSize } from "../engine/mask-rules.ts";
import type { Size } from "../engine/request.ts";
import { statedSize } from "../images/stated-size.ts";
import type { JobImage, JobImages, StoredSource } from "../jobs/job.ts";
import type { SignedUrls } from "../storage/signed-urls.ts";
import { answerWithin } from "../storage/answer-within.ts";
import { createKey, type Storage } from "../storage/storage.ts";
import { ownPart } from "./origin.ts";
import { checkPublic, type IsRefusedAddress } from "./public-address.ts";

export interface InputImageOptions {
  storage: Pick<Storage, "get" | "put" | "delete">;
  signedUrls: SignedUrls;
  /** The shipped example images: name to file. */
  examples: ReadonlyMap<string, string>;
  maxBytes: number;
  /** @default only headers are looked at: what is wrong with the rest, the job tells */
  checkMask?: CheckMask | undefined;
  /** Called before that many bytes are stored. @throws RetouchError if they may not be */
  admit: (bytes: number) => Promise<void>;
  isRefusedAddress: IsRefusedAddress;
  /**
   * Called with the size of the first image, where that is known, before anything is stored.
   * @throws RetouchError if the results have no room
   */
  admitResults?: ((image: Size | undefined) => Promise<void>) | undefined;
}

/** Refuses a mask that cannot be used. @throws RetouchError INVALID_PARAMETER about `mask` */
export type CheckMask = (given: GivenMask) => Promise<void>;

interface InputImage {
  image: JobImage;
  /** What was stored for this request alone; absent if nothing was. */
  source?: StoredSource | undefined;
  /** Deletes what was stored for this request alone; does nothing if nothing was. */
  discard(): Promise<void>;
}

const FILES = "/files/";
const EXAMPLES = "/examples/";
/** How long a check waits for a mask or an image in the storage. */
const STORED_MS = 1000;

/** All images of a request. */
export interface InputImages extends JobImages {
  sources: readonly StoredSource[];
  /** Deletes what was stored for this request alone. */
  discard(): Promise<void>;
}

/**
 * Stores or finds the images of a request, all of them or none. A mask whose bytes are at hand is checked before.
 * @throws RetouchError INVALID_PARAMETER, IMAGE_TOO_LARGE, OUTPUT_UNWRITABLE, and what `admit` throws
 */
export async function keepInputImages(
  options: InputImageOptions,
  { images, mask, ...how }: GivenImages,
  origins: readonly string[],
): Promise<InputImages> {
  const places: FoundImage[] = [];
  for (const given of images) places.push(await placeOf(options, given, origins));
  if (mask !== undefined) {
    const place = await aboutMask(() => placeOf(options, mask, origins));
    await checkMask(options, place, places[0], how);
    places.push(place);
  }
  await options.admitResults?.(sizeOf(places[0]));
  const kept: InputImage[] = [];
  const discard = async (): Promise<void> => {
    await Promise.all(kept.map((one) => one.discard()));
  };
  try {
    for (const place of places) kept.push(await keep(options, place));
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

/** The images of a request, and what a mask's file means. */
export interface GivenImages extends Pick<GivenMask, "isTransparencyEdited" | "maskBlur"> {
  images: readonly (GivenImage | FoundImage)[];
  mask?: GivenImage | undefined;
}

/** @throws RetouchError INVALID_PARAMETER about `mask` */
async function checkMask(
  options: InputImageOptions,
  place: FoundImage,
  edited: FoundImage | undefined,
  how: Pick<GivenMask, "isTransparencyEdited" | "maskBlur">,
): Promise<void> {
  const mask = await bytesAt(options, place);
  if (mask === undefined) return;
  // What is no picture by its first bytes needs no decoder.
  await aboutMask(async () => void acceptedFormat(mask, undefined));
  const image = edited && (await bytesAt(options, edited));
  if (image) checkStatedSizes(mask, image);
  await options.checkMask?.({ mask, image, ...how });
}

/**
 * Refuses a mask of another size where both headers state one; turned sides may be equal once they are upright.
 * @throws RetouchError INVALID_PARAMETER
 */
function checkStatedSizes(mask: Uint8Array, image: Uint8Array): void {
  const [own, other] = [statedSize(image), statedSize(mask)];
  if (own === undefined || other === undefined) return;
  const [sides, others] = [own, other].map(({ width, height }) =>
    [width, height].toSorted((a, b) => a - b).join(),
  );
  if (sides !== others) throw wrongMaskSize(other, own);
}

/** What lies at hand; undefined if it is elsewhere, or does not come in time: then the job tells of it. */
async function bytesAt({ storage }: InputImageOptions, place: FoundImage): Promise<Uint8Array | undefined> {
  if (place.kind === "bytes") return place.bytes;
  if (place.kind === "url") return undefined;
  const stored = await answerWithin(STORED_MS, storage.get(place.key)).catch(() => undefined);
  return stored?.bytes;
}

/** What the header of an image that came with the request states. */
const sizeOf = (place: FoundImage | undefined): Size | undefined =>
  place?.kind === "bytes" ? statedSize(place.bytes) : undefined;

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

/** As {@link findInputImage}, where it was not found before. */
const placeOf = async (
  options: InputImageOptions,
  given: GivenImage | FoundImage,
  origins: readonly string[],
): Promise<FoundImage> =>
  typeof given === "object" && "kind" in given ? given : findInputImage(options, given, origins);

/** Stores what came with the request; a URL elsewhere stays a URL, for the worker. @throws RetouchError */
async function keep({ storage, admit }: InputImageOptions, place: FoundImage): Promise<InputImage> {
  if (place.kind !== "bytes") return { image: place, discard: async () => {} };
  const { bytes, sha256 } = place;
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
