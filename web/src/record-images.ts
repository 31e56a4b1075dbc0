/** The images of an edit: as the API takes them, as the history keeps them, and back in the form. */
import type { EditInput } from "./api.ts";
import type { EditRecord } from "./history-store.ts";
import { measured } from "./picture-file.ts";
import type { SourcePicture } from "./source-picture.ts";

/** One image as it is, several as a list, none as no field. */
export function imageField(images: readonly string[]): Pick<EditInput, "image"> {
  const [first] = images;
  if (first === undefined) return {};
  return { image: images.length === 1 ? first : images };
}

type RecordImages = Pick<EditRecord, "source" | "sourceUrl" | "others" | "parentId" | "original">;

/** @param parent the edit whose result is the first image; a chain begins at the first image that was edited */
export function imagesOfRecord(
  pictures: readonly SourcePicture[],
  parent: EditRecord | undefined,
): RecordImages {
  const [source, ...others] = pictures;
  if (source === undefined) return {};
  const original = parent?.original ?? parent?.source;
  return {
    source: source.bytes,
    ...(source.path === undefined ? {} : { sourceUrl: source.path }),
    ...(others.length > 0 && {
      others: others.map(({ bytes, path }) => (path === undefined ? { bytes } : { bytes, url: path })),
    }),
    ...(parent && original ? { parentId: parent.id, original } : {}),
  };
}

/** The images of a record as they were chosen. @throws for an image that this browser cannot read */
export async function picturesOf(record: EditRecord): Promise<SourcePicture[]> {
  const { source, sourceUrl, parentId, others = [] } = record;
  if (source === undefined) return [];
  const [first, ...rest] = await Promise.all([
    chosen(source, sourceUrl),
    ...others.map(({ bytes, url }) => chosen(bytes, url)),
  ]);
  return [parentId === undefined ? first : { ...first, editId: parentId }, ...rest];
}

async function chosen(bytes: Blob, path: string | undefined): Promise<SourcePicture> {
  const fitting = await measured(bytes);
  return path === undefined ? fitting : { ...fitting, path };
}

/** The path of each image on this server; undefined for a file of the user's own. */
export function urlsOf({ source, sourceUrl, others = [] }: EditRecord): (string | undefined)[] {
  return source === undefined ? [] : [sourceUrl, ...others.map(({ url }) => url)];
}

/** The seed of the result that is shown. */
export function seedOf({ results, chosen = 0, output, parameters }: EditRecord): number {
  return results?.[chosen]?.seed ?? output?.seed ?? parameters.seed;
}
