/** Fetches the image of a finished job, from whichever URL of the server this browser can reach. */
import { ownAddressOf } from "./address.ts";
import { isAway, type JobReply } from "./api.ts";
import { difference } from "./difference.ts";
import type { EditRecord } from "./history-store.ts";
import { createPatience } from "./patience.ts";

/** The record with the end of its job: the image, or the sentence that says why there is none. */
export async function withEnd(
  record: EditRecord,
  job: JobReply,
  onConnection: (isThere: boolean) => void,
): Promise<EditRecord> {
  const { status, output, error, executionTime } = job;
  if (status === "CANCELLED") return { ...record, status: "cancelled" };
  if (status !== "COMPLETED" || output?.image_url === undefined) {
    return { ...record, status: "failed", error: error ?? "The job ended without an image." };
  }
  const result = await fetchResult(output.image_url, onConnection);
  if (result === undefined) {
    const sentence = `The edit is done, but its image cannot be fetched from ${output.image_url}.`;
    return { ...record, status: "failed", error: sentence, output };
  }
  const { original } = record;
  // A browser that cannot compare two images can still show them.
  const share = original && (await difference(original, result).catch(() => undefined));
  return {
    ...record,
    status: "completed",
    result,
    output,
    ...(executionTime === undefined ? {} : { executionMs: executionTime }),
    ...(share === undefined ? {} : { differenceFromOriginal: share }),
  };
}

/** @returns undefined if there is no image */
async function fetchResult(
  imageUrl: string,
  onConnection: (isThere: boolean) => void,
): Promise<Blob | undefined> {
  const own = ownAddressOf(imageUrl);
  const ours = own === undefined ? undefined : await fetchPatiently(own, onConnection);
  if (ours !== undefined || imageUrl === own) return ours;
  const answer = await fetchPicture(imageUrl);
  return answer instanceof Blob ? answer : undefined;
}

/** Tries until the server answers, as following a job does. */
async function fetchPatiently(
  address: string,
  onConnection: (isThere: boolean) => void,
): Promise<Blob | undefined> {
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
