/** What the hub says about a repository: the commit of a revision, the licence, and the files. */
import { listFiles, modelInfo } from "@huggingface/hub";
import { RetouchError } from "../errors.ts";
import { aborted, type HubFetch } from "./hub-fetch.ts";
import { isCommit, isInside, type Repository } from "./repository.ts";

export interface Licence {
  /** As the model card has it, such as "apache-2.0"; a phrase of that use where it has none. */
  readonly name: string;
  readonly link: string;
  /** Whether it is the repository's own licence, which must be read and accepted before the download. */
  readonly isAsked: boolean;
}

export interface HubFile {
  /** With slashes, relative to the root of the repository. */
  readonly path: string;
  readonly size: number;
  /** SHA-256 for files that git keeps outside (LFS), or git's own SHA-1: the file's name among the cache's blobs. */
  readonly oid: string;
  readonly hash: "sha256" | "git-sha1";
}

export interface Hub {
  readonly endpoint: string;
  readonly signal: AbortSignal;
  readonly fetch: HubFetch;
}

const MAX_FILES = 10_000;
/** What the model card says for a licence that is not on the hub's list. */
const OWN_LICENCE = "other";

/** @throws RetouchError HUB_REFUSED, HUB_UNAVAILABLE or ABORTED */
export async function readRevision(
  hub: Hub,
  { name, revision }: Repository,
): Promise<{ commit: string; licence: Licence }> {
  const { endpoint: hubUrl, fetch } = hub;
  const fields = { additionalFields: ["sha", "cardData"] as ("sha" | "cardData")[] };
  const info = await readable(hub, name, () => modelInfo({ name, revision, hubUrl, fetch, ...fields }));
  if (typeof info.sha !== "string" || !isCommit(info.sha)) throw unreadable(name);
  return { commit: info.sha, licence: licenceOf(hubUrl, name, info) };
}

/**
 * Lists the files of a commit.
 * @throws RetouchError HUB_REFUSED, HUB_UNAVAILABLE (also for a name that leaves the folder) or ABORTED
 */
export async function readFiles(hub: Hub, name: string, commit: string): Promise<HubFile[]> {
  const { endpoint: hubUrl, fetch } = hub;
  const files: HubFile[] = [];
  await readable(hub, name, async () => {
    const repo = { type: "model", name } as const;
    for await (const entry of listFiles({ repo, revision: commit, recursive: true, hubUrl, fetch })) {
      if (entry.type !== "directory") files.push(fileOf(name, entry));
      if (files.length > MAX_FILES) throw unreadable(name);
    }
  });
  return files;
}

function fileOf(
  name: string,
  entry: { path?: unknown; size?: unknown; oid?: unknown; lfs?: { oid?: unknown; size?: unknown } },
): HubFile {
  const { path, lfs } = entry;
  if (typeof path !== "string") throw unreadable(name);
  if (!isInside(path)) {
    throw new RetouchError(
      "HUB_UNAVAILABLE",
      `${name} lists ${JSON.stringify(path)}, which would leave its folder; nothing was downloaded.`,
    );
  }
  // Git's tools once wrote LFS ids with their type in front.
  const oid = String(lfs?.oid ?? entry.oid).replace(/^sha256:/, "");
  const size = lfs?.size ?? entry.size;
  const isHash = (lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(oid);
  if (!isHash || !Number.isSafeInteger(size) || (size as number) < 0) throw unreadable(name);
  return { path, size: size as number, oid, hash: lfs ? "sha256" : "git-sha1" };
}

function licenceOf(endpoint: string, name: string, info: { gated?: unknown; cardData?: unknown }): Licence {
  const card = (info.cardData ?? {}) as Record<string, unknown>;
  const textOf = (field: string): string | undefined => {
    const value = [card[field]].flat()[0];
    return typeof value === "string" && value !== "" ? value.slice(0, 200) : undefined;
  };
  const licence = textOf("license");
  const page = `${endpoint}/${name}`;
  const link = textOf("license_link");
  const isOwn = licence === undefined || licence.toLowerCase() === OWN_LICENCE;
  return {
    name: (isOwn ? textOf("license_name") : licence) ?? "that its page names",
    link: link === undefined ? page : /^https?:\/\//.test(link) ? link : `${page}/blob/main/${link}`,
    isAsked: isOwn || Boolean(info.gated),
  };
}

/** Rethrows our own errors; anything else means that the response cannot be read. */
async function readable<Result>(hub: Hub, name: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    if (hub.signal.aborted) throw aborted();
    throw error instanceof RetouchError ? error : unreadable(name, error);
  }
}

function unreadable(name: string, cause?: unknown): RetouchError {
  return new RetouchError("HUB_UNAVAILABLE", `What the hub says about ${name} cannot be read.`, { cause });
}
