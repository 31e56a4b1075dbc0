/** What a batch consists of before it is planned: lines of a file or images of the command line. */
import type { EditRequest, RetouchError } from "../../index.ts";

/** A picture to read: a resolved path, an http(s), file or data URL. */
export interface Source {
  /** As the user wrote it. */
  given: string;
  source: string;
}

/** Everything of a request but its pictures. */
export type Parameters = Omit<EditRequest, "image" | "mask">;

/** One edit that could be read. */
export interface Entry {
  /** Its line, for entries of a file. */
  line?: number | undefined;
  /** The first one is edited, the others are looked at. */
  images: readonly Source[];
  /** The result of an earlier line that is edited, before all of `images`. */
  parent?: { output: string; image: number } | undefined;
  /** Whether it is made from the original of its first picture. @default false */
  isFromOriginal?: boolean | undefined;
  /** Further pictures of the request, by the library's field. */
  pictures: Readonly<Record<string, Source>>;
  parameters: Parameters;
  /** Results of it: 1 to 8, with seeds s, s + 1 and so on. */
  numImages: number;
  /** Where the result goes in the output folder, with `/` between folders, if the entry says so. */
  output?: string | undefined;
  /** What a result is named after otherwise: a path with `/`, such as `birds/blue.jpg`; none for a URL. */
  name?: string | undefined;
}

/** A result of another edit of the batch. */
export interface ParentResult {
  /** As its line has it. */
  output: string;
  /** Of its edit. */
  key: string;
}

/** How many pictures an edit looks at. */
export const numPictures = ({
  images,
  parent,
}: Pick<Entry, "images"> & { parent?: object | undefined }): number =>
  images.length + (parent === undefined ? 0 : 1);

/** One that is wrong by itself. */
export interface Fault {
  line?: number | undefined;
  /** Its images as far as they could be read, for the summary. */
  input: string;
  error: RetouchError;
}

export const isFault = (one: object): one is Fault => "error" in one;

const MAX_SHOWN = 1000;

/** The images as the summary has them. */
export function inputOf(
  images: readonly Pick<Source, "given">[],
  parent?: { output: string } | undefined,
): string {
  const all = parent === undefined ? images : [{ given: parent.output }, ...images];
  const shown = all.map(({ given }) => (/^data:/i.test(given) ? "data URL" : given)).join(" ");
  return shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown;
}
