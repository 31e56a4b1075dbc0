/** The results of an edit as parts of a tool's reply. */
import { type EditResult, encodeThumbnail, type OutputFormat } from "../index.ts";

export type ToolContent =
  { type: "text"; text: string } | { type: "image"; data: string; mimeType: `image/${OutputFormat}` };

/** In base64 less than a megabyte, the smallest limit of common hosts. */
const MAX_SHOWN_BYTES = 700_000;
const MAX_SHOWN_SIDE = 1024;

/** The results themselves, or smaller versions to look at of those that are too large for a conversation. */
export async function shown({ images, format }: EditResult): Promise<ToolContent[]> {
  const content: ToolContent[] = [];
  for (const image of images) {
    // Hosts of tools show no AVIF.
    const isSmall = image.byteLength <= MAX_SHOWN_BYTES / images.length && format !== "avif";
    // Several share the room of one.
    const side = Math.round(MAX_SHOWN_SIDE / Math.sqrt(images.length));
    const bytes = isSmall ? image : await encodeThumbnail(image, side);
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
    content.push({ type: "image", data, mimeType: isSmall ? `image/${format}` : "image/jpeg" });
  }
  return content;
}
