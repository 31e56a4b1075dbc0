/**
 * One line of a file of edits: the fields of the wire (`input` of /run), with paths for images, and `output`. Names and
 * types are those of `EDIT_PARAMETERS`; the library checks the values.
 */
import path from "node:path";
import { cutText, invalid, nearestOf, RetouchError, shownValue } from "../../errors.ts";
import { EDIT_PARAMETERS, type EditParameter, type LoraUse, messageOf } from "../../index.ts";
import { parseSize } from "../arguments.ts";
import { chooseFormat } from "../output.ts";
import { flagOf } from "../surfaces.ts";
import { type Entry, inputOf, type Parameters, type Source } from "./entry.ts";
import { LIMITS } from "./limits.ts";
import { checkOutputName } from "./output-name.ts";

/** The library's field of each name on the wire. */
const FIELDS: ReadonlyMap<string, string> = new Map(
  Object.entries<EditParameter>(EDIT_PARAMETERS).flatMap(([field, { wire, aliases = [] }]) =>
    [wire, ...aliases].map((name) => [name, field] as const),
  ),
);
const PARAMETERS: Readonly<Record<string, EditParameter>> = EDIT_PARAMETERS;
/** Fields beside those of the table. */
const OWN_FIELDS = [
  "images",
  "output",
  "width",
  "height",
  "num_images",
  "parent",
  "parent_image",
  "from_original",
];
const KNOWN: ReadonlySet<string> = new Set([...FIELDS.keys(), ...OWN_FIELDS]);

/** The name on the wire of what other surfaces call a field: `--steps`, `steps` and `numSteps`. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map(
  Object.entries<EditParameter>(EDIT_PARAMETERS).flatMap(([field, parameter]) =>
    [field, parameter.tool, flagOf(parameter)?.slice("--".length)].flatMap((name) =>
      name === undefined ? [] : [[name, parameter.wire] as const],
    ),
  ),
);

const MAX_NAME = 100;

type Fields = Readonly<Record<string, unknown>>;

/** The fields of a line, none of them checked. @throws RetouchError INVALID_PARAMETER if it is not a JSON object */
export function parseJobLine(text: string): Fields {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw refused(`it is not JSON: ${cutText(messageOf(cause), MAX_NAME)}.`, cause);
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw refused("it is not a JSON object.");
  }
  return given as Fields;
}

/** The images of a line that may be wrong, for the summary. */
export function inputOfFields(fields: Fields): string {
  const images = [fields["parent"] ?? [], fields["image"] ?? [], fields["images"] ?? []]
    .flat(2)
    .slice(0, LIMITS.images);
  return inputOf(images.flatMap((given) => (typeof given === "string" ? [{ given }] : [])));
}

/**
 * Reads the fields.
 * @throws RetouchError INVALID_PARAMETER, about the library's fields
 */
export function readJobFields(given: Fields, { line, folder, loras, ...defaults }: LineOptions): Entry {
  const values = valuesByField(given);
  const { image, images: further, output, num_images: numImages, width, height, ...rest } = values;
  const { parent: named, parent_image: parentImage, from_original: fromOriginal, ...others } = rest;
  const images = imagesOf(image, further, folder);
  const parent = parentOf(named, parentImage, image);
  const isFromOriginal = fromOriginalOf(fromOriginal) ?? defaults.isFromOriginal;
  const pictures: Record<string, Source> = {};
  const parameters: Record<string, unknown> = { loras };
  for (const [field, value] of Object.entries(others)) {
    const type = PARAMETERS[field]?.type;
    if (type === "image") pictures[field] = sourceOf(field, value, folder);
    else if (type === "size") parameters[field] = typeof value === "string" ? parseSize(value) : value;
    else if (type === "loras") parameters[field] = lorasOf(value);
    else parameters[field] = value;
  }
  // As in `retouch edit`; on the wire nothing is preserved by default.
  if (parameters["isUnchangedKept"] === undefined) parameters["preserve"] ??= "auto";
  if (parameters["isMaskWanted"] === true) {
    throw invalid("unsupported", { field: "isMaskWanted", reason: "a batch writes results alone" });
  }
  if (width !== undefined || height !== undefined) {
    if (parameters["size"] !== undefined)
      throw invalid("notTogether", { field: "size", other: "size.width" });
    parameters["size"] = { width, height };
  }
  const name = output === undefined ? undefined : checkOutputName(output);
  const format = chooseFormat(name, parameters["format"] as Parameters["format"]);
  return {
    line,
    images,
    parent,
    isFromOriginal,
    pictures,
    parameters: { ...(parameters as Parameters), format },
    numImages: wholeNumber("num_images", numImages ?? 1, { min: 1, max: LIMITS.numImages }),
    output: name,
    name: parent === undefined ? nameOfSource(images[0]) : path.posix.basename(parent.output),
  };
}

/** What counts for every line. */
interface LineOptions {
  line: number;
  /** What relative paths start from. */
  folder: string;
  /** What applies to lines without `loras`. */
  loras: readonly LoraUse[];
  /** What applies to lines without `from_original`. */
  isFromOriginal?: boolean | undefined;
}

/** The result that a line edits, of those of lines before it; whether there is one is not looked at. */
function parentOf(given: unknown, image: unknown, picture: unknown): Entry["parent"] {
  if (given === undefined) {
    if (image === undefined) return undefined;
    throw invalid("onlyWith", { field: "parentImage", other: "parent" });
  }
  if (picture !== undefined) throw invalid("notTogether", { field: "parent", other: "image" });
  if (typeof given !== "string" || given === "") {
    throw invalid("type", { field: "parent", wanted: "the output of a line before this one" });
  }
  if (given.length > LIMITS.output) {
    throw invalid("tooLong", { field: "parent", max: LIMITS.output, count: given.length });
  }
  return {
    output: given,
    image: wholeNumber("parentImage", image ?? 0, { min: 0, max: LIMITS.numImages - 1 }),
  };
}

function fromOriginalOf(given: unknown): boolean | undefined {
  if (given === undefined || typeof given === "boolean") return given;
  throw invalid("type", { field: "fromOriginal", wanted: "true or false" });
}

/** By the library's names; those that it does not have keep their own. */
function valuesByField(given: Fields): Fields {
  const values: Record<string, unknown> = Object.create(null);
  const givenAs: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(given)) {
    if (!KNOWN.has(name)) throw unknown(name);
    const field = OWN_FIELDS.includes(name) ? name : FIELDS.get(name)!;
    if (givenAs[field] !== undefined) {
      throw refused(`${givenAs[field]} and ${name} are two names for the same field.`);
    }
    // Programs write it for what they leave open.
    if (value === null) continue;
    values[field] = value;
    givenAs[field] = name;
  }
  return values;
}

function unknown(name: string): RetouchError {
  const nearest = ELSEWHERE.get(name) ?? nearestOf(name, KNOWN);
  const hint = nearest === undefined ? "." : `; did you mean ${nearest}?`;
  return refused(`${shownValue(cutText(name, MAX_NAME))} is not a field of an edit${hint}`);
}

/** As on the wire, an image that is given under both names is meant once. */
function imagesOf(image: unknown, further: unknown, folder: string): Source[] {
  const [first, others] = [image, further].map((given) => (given === undefined ? [] : [given].flat())) as [
    unknown[],
    unknown[],
  ];
  const isRepeated = first.length === 1 && first[0] === others[0];
  const list = isRepeated ? others : [...first, ...others];
  if (list.length > LIMITS.images) throw invalid("tooMany", { field: "image", max: LIMITS.images });
  return list.map((one) => sourceOf("image", one, folder));
}

/** @throws RetouchError INVALID_PARAMETER for what can name no picture */
export function sourceOf(field: string, given: unknown, folder: string): Source {
  if (typeof given !== "string" || given === "") {
    throw invalid("type", { field, wanted: "a path, an http(s) URL or a data URL" });
  }
  if (given === "-") {
    throw invalid("forbidden", { field, given: "-", reason: "standard input cannot be read again" });
  }
  if (/^data:/i.test(given)) return { given, source: given };
  if (given.length > LIMITS.path) throw invalid("tooLong", { field, max: LIMITS.path, count: given.length });
  if (given.includes("\0")) throw invalid("type", { field, wanted: "a path without null characters" });
  if (/^https?:/i.test(given)) {
    if (!URL.canParse(given)) throw invalid("url", { field });
    return { given, source: given };
  }
  if (/^file:/i.test(given)) return { given, source: given };
  return { given, source: path.resolve(folder, given) };
}

/** The name without folders: results lie beside each other. */
export function nameOfSource(source: Source | undefined): string | undefined {
  if (source === undefined) return "drawn";
  return /^(?:https?|data|file):/i.test(source.given) ? undefined : path.basename(source.source);
}

/** As on the wire: `path` is another name of `name`. */
function lorasOf(given: unknown): unknown {
  if (!Array.isArray(given)) return given;
  return given.map((one: unknown) => {
    const { name, path: file, scale } = (one ?? {}) as Record<string, unknown>;
    return { name: name ?? file, scale };
  });
}

function wholeNumber(field: string, given: unknown, { min, max }: { min: number; max: number }): number {
  const isValid = Number.isInteger(given) && Number(given) >= min && Number(given) <= max;
  if (isValid) return Number(given);
  throw invalid("range", { field, wanted: "a whole number", min, max, given: shownValue(given) });
}

const refused = (sentence: string, cause?: unknown): RetouchError =>
  new RetouchError("INVALID_PARAMETER", sentence, { cause });
