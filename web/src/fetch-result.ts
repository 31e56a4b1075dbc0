/** Fetches the images of a finished job, from whichever URL of the server this browser can reach. */
import { ownAddressOf } from "./address.ts";
import { isAway, type JobReply } from "./api.ts";
import { difference } from "./difference.ts";
import type { EditRecord, OneResult } from "./history-store.ts";
import { createPatience } from "./patience.ts";

type OnConnection = (isThere: boolean) => void;

/** The record with the end of its job: the images, or the sentence that says why there are none. */
export async function withEnd(
  record: EditRecord,
  job: JobReply,
  onConnection: OnConnection,
): Promise<EditRecord> {
  const { status, output, error, executionTime } = job;
  if (status === "CANCELLED") return { ...record, status: "cancelled" };
  if (status !== "COMPLETED" || output?.image_url === undefined) {
    return { ...record, status: "failed", error: error ?? "The job ended without an image." };
  }
  const {
    image_url: url,
    seed = record.parameters.seed,
    preserve_shares: shares,
    mask_url: mapUrl,
    images,
  } = output;
  const all = images ?? [{ url, seed, preserve_shares: shares, mask_url: mapUrl }];
  const results: OneResult[] = [];
  for (const one of all) {
    const bytes = one.url === undefined ? undefined : await fetchResult(one.url, onConnection);
    if (bytes === undefined) {
      const sentence = `The edit is done, but its image cannot be fetched from ${one.url ?? url}.`;
      return { ...record, status: "failed", error: sentence, output };
    }
    const map = one.mask_url === undefined ? undefined : await fetchResult(one.mask_url, onConnection);
    results.push({
      bytes,
      seed: one.seed,
      ...(one.preserve_shares && { shares: one.preserve_shares }),
      ...(map && { map }),
    });
  }
  const ended: EditRecord = {
    ...record,
    status: "completed",
    output,
    ...(results.length > 1 && { results }),
    ...(executionTime === undefined ? {} : { executionMs: executionTime }),
  };
  return withChosen(ended, results[0]!, 0);
}

/** The record with one of its results as the one that is shown, downloaded, and edited further. */
export async function withChosen(record: EditRecord, one: OneResult, index: number): Promise<EditRecord> {
  const { original, map: _, differenceFromOriginal: __, ...rest } = record;
  // A browser that cannot compare two images can still show them.
  const share = original && (await difference(original, one.bytes).catch(() => undefined));
  return {
    ...rest,
    ...(original && { original }),
    result: one.bytes,
    ...(one.map && { map: one.map }),
    ...(index > 0 || record.chosen !== undefined ? { chosen: index } : {}),
    ...(share === undefined ? {} : { differenceFromOriginal: share }),
  };
}

/** @returns undefined if there is no image */
async function fetchResult(imageUrl: string, onConnection: OnConnection): Promise<Blob | undefined> {
  const own = ownAddressOf(imageUrl);
  const ours = own === undefined ? undefined : await fetchPatiently(own, onConnection);
  if (ours !== undefined || imageUrl === own) return ours;
  const answer = await fetchPicture(imageUrl);
  return answer instanceof Blob ? answer : undefined;
}

/** Tries until the server answers, as following a job does. */
async function fetchPatiently(address: string, onConnection: OnConnection): Promise<Blob | undefined> {
  const patience = createPatience();
  for (;;) {
    const answer = await fetchPicture(address);
    onConnection(answer !== "away");
    if (answer !== "away") return answer === "none" ? undefined : answer;
    await patience.wait();
  }
}

/** "away" is a server that may come back; anything but an image, such as a login page, counts as "none". */
async function fetchPicture(address: string): Promise<Blob | "none" | "away"> {
  try {
    const response = await fetch(address);
    if (isAway(response.status)) return "away";
    const bytes = await response.blob();
    return response.ok && bytes.type.startsWith("image/") ? bytes : "none";
  } catch {
    return "away";
  }
}
