/** The `Location` of a redirect, whose characters HTTP libraries give as one per byte. */
import { isUtf8 } from "node:buffer";

/** Statuses whose `Location` is followed; 300 names the server's own choice (RFC 9110, section 15.4.1). */
export const REDIRECTS: ReadonlySet<number> = new Set([300, 301, 302, 303, 307, 308]);

/** The URL reference that was meant: servers write addresses in UTF-8 without escaping them. */
export function locationText(header: string): string {
  const bytes = Buffer.from(header, "latin1");
  if (isUtf8(bytes)) return bytes.toString("utf8").trim();
  // Of another encoding, the bytes are kept, as browsers keep them.
  return header
    .trim()
    .replaceAll(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}
