/** What the command needs of held results: what is known of them, and their pictures. */
import type { Config } from "../config/settings.ts";
import { RetouchError } from "../errors.ts";
import type { HeldJob } from "../jobs/reviews.ts";
import { openStorage } from "../storage/open.ts";
import { storageOptions } from "./data.ts";

export { type HeldJob, MAX_REASON, type Reviews, type Verdict } from "../jobs/reviews.ts";
export type { SafetyRecord } from "../jobs/safety-record.ts";

/** Reads the pictures of a held result, in their order. @throws RetouchError STORAGE_UNAVAILABLE */
export async function readHeldPictures(
  config: Config,
  { pictures }: Pick<HeldJob, "pictures">,
): Promise<Uint8Array[]> {
  const storage = await openStorage(storageOptions(config));
  const images: Uint8Array[] = [];
  for (const { key } of pictures) {
    const found = await storage.get(key);
    if (found === undefined) {
      throw new RetouchError("STORAGE_UNAVAILABLE", "The held picture is not in the storage any more.");
    }
    images.push(found.bytes);
  }
  return images;
}
