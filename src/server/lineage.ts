/** Edits that continue earlier ones: finds their parents, and the original where they are to be made from that. */
import { sha256InTurns } from "../sha256.ts";
import { invalid } from "../errors.ts";
import type { JobEdit, JobImages, JobStatus } from "../jobs/job.ts";
import type { Jobs } from "../jobs/contracts.ts";
import { type Chain, continuationOf, originalOf } from "../jobs/original.ts";
import type { Storage } from "../storage/storage.ts";
import type { FoundImage, GivenImage } from "./input-image.ts";

/** What a request says of it. */
export interface GivenLineage {
  /** The id of a job. */
  parent?: string | undefined;
  /** Which of its results, from 0. */
  parentImage?: number | undefined;
  /** Whether the parent's result is the first picture, since the request has none of its own. */
  isParentEdited: boolean;
  isFromOriginal: boolean;
}

type Edit = Omit<JobEdit, keyof JobImages>;
type Places = { chain: Chain; place: number };

export interface Lineages {
  jobs: Pick<Jobs, "chainOf" | "chainOfResult">;
  storage: Pick<Storage, "get">;
  keyId: string;
  /** Reads an image field. */
  find: (given: GivenImage) => Promise<FoundImage>;
}

/** The edit with its lineage, and all of its pictures. @throws RetouchError INVALID_PARAMETER about the field */
export async function withLineage(
  lineages: Lineages,
  {
    edit,
    images,
    lineage,
  }: { edit: Edit; images: readonly GivenImage[]; lineage?: GivenLineage | undefined },
): Promise<{ edit: Edit; images: readonly (GivenImage | FoundImage)[] }> {
  const { parent, parentImage, isParentEdited = false, isFromOriginal = false } = lineage ?? {};
  const others = isParentEdited ? images : images.slice(1);
  const first = isParentEdited ? undefined : images[0];
  const picture = first === undefined ? undefined : await named(await lineages.find(first));
  const places =
    parent === undefined
      ? await placesOf(lineages, picture, parentImage)
      : await placesOfParent(lineages, parent, parentImage);
  if (places === undefined) {
    if (isFromOriginal)
      throw aboutOriginal("the image is not known as a result of this key; name its edit in parent.");
    return { edit, images: picture === undefined ? others : [picture, ...others] };
  }
  const { chain, place } = places;
  if (!isFromOriginal) {
    const continuation = continuationOf(chain, place, originalOf(chain, edit));
    const edited = picture ?? (await resultOf(lineages, places));
    return { edit: { ...edit, lineage: continuation }, images: [edited, ...others] };
  }
  const sha256 = chain.at(-1)!.source?.sha256;
  const hasPicture = picture?.kind === "bytes" && picture.sha256 === sha256;
  const original = originalOf(chain, edit, { hasPicture });
  if (original.kind === "unknown") throw aboutOriginal(original.sentence);
  if (parent !== undefined && picture !== undefined && !hasPicture && !isResult(picture, places)) {
    throw invalid("about", {
      field: "image",
      sentence: "with parent and from_original it must be the original, in base64, or be left out.",
    });
  }
  const source = hasPicture ? picture : await readOriginal(lineages, original.source.key);
  const { prompt, prompt2 } = original;
  const continuation = continuationOf(chain, place, original, { isFromOriginal });
  return { edit: { ...edit, prompt, prompt2, lineage: continuation }, images: [source, ...others] };
}

const aboutOriginal = (sentence: string) => invalid("about", { field: "fromOriginal", sentence });

/** With the digest by which a picture is known as a result. */
async function named(image: FoundImage): Promise<FoundImage> {
  if (image.kind !== "bytes") return image;
  return { ...image, sha256: await sha256InTurns(image.bytes) };
}

async function placesOf(
  { jobs, keyId }: Lineages,
  picture: FoundImage | undefined,
  parentImage: number | undefined,
): Promise<Places | undefined> {
  if (parentImage !== undefined) throw invalid("onlyWith", { field: "parentImage", other: "parent" });
  const name =
    picture?.kind === "stored" ? picture.key : picture?.kind === "bytes" ? picture.sha256 : undefined;
  return name === undefined ? undefined : jobs.chainOfResult(name, keyId);
}

const WHY_NONE: Readonly<Record<Exclude<JobStatus, "completed">, string>> = {
  queued: "that edit is not done yet",
  running: "that edit is not done yet",
  held: "that edit is not done yet",
  failed: "that edit has failed",
  timedOut: "that edit ran out of time",
  cancelled: "that edit was cancelled",
};

async function placesOfParent({ jobs, keyId }: Lineages, parent: string, place = 0): Promise<Places> {
  const chain = await jobs.chainOf(parent, keyId);
  if (chain === undefined) {
    throw invalid("about", { field: "parent", sentence: "there is no such job, or it is no longer kept." });
  }
  const [{ status, results }] = chain;
  if (status !== "completed") {
    throw invalid("about", { field: "parent", sentence: `${WHY_NONE[status]}, so it has no result.` });
  }
  if (place >= results.length) {
    const count = results.length === 1 ? "one result" : `${results.length} results`;
    throw invalid("about", { field: "parentImage", sentence: `that edit has ${count}, counted from 0.` });
  }
  return { chain, place };
}

/** The parent's result as a picture. */
async function resultOf(
  { storage, find }: Lineages,
  { chain: [{ results }], place }: Places,
): Promise<FoundImage> {
  const { image: result, isKept } = results[place]!;
  const gone = (): Error =>
    invalid("about", { field: "parent", sentence: "the result of that edit is no longer kept." });
  if (!isKept) throw gone();
  if (result.kind === "stored") return { kind: "stored", key: result.key };
  if (result.kind === "address") return find(result.url);
  if (result.kind === "inline") return find(result.dataUrl);
  // It goes with its job, which may be sooner than this edit runs.
  const bytes = (await storage.get(result.key))?.bytes;
  if (bytes === undefined) throw gone();
  return named({ kind: "bytes", bytes });
}

function isResult(picture: FoundImage, { chain: [{ results }], place }: Places): boolean {
  const { image: result } = results[place]!;
  if (picture.kind === "stored") return "key" in result && result.key === picture.key;
  return picture.kind === "bytes" && "sha256" in result && result.sha256 === picture.sha256;
}

/** The picture of an earlier job, which that job alone keeps: this one needs its own. */
async function readOriginal({ storage }: Lineages, key: string): Promise<FoundImage> {
  const bytes = (await storage.get(key))?.bytes;
  if (bytes === undefined) throw aboutOriginal("the original is no longer there.");
  return named({ kind: "bytes", bytes });
}
