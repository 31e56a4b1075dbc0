/** The XMP packet of a file. */
import { readerOf } from "./decode-samples.ts";

/** As the packets of results are; one of a file from elsewhere may be of any size. */
const MAX_BYTES = 2 ** 20;

/** @returns undefined if the file has none, or one that is too long or no UTF-8 */
export async function readXmp(file: Uint8Array): Promise<string | undefined> {
  const { xmp } = await (await readerOf(file)).metadata();
  if (xmp === undefined || xmp.byteLength > MAX_BYTES) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(xmp);
  } catch {
    return undefined;
  }
}
