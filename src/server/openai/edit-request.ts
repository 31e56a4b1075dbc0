/** Turns a body in OpenAI's terms into our edits: equal fields are renamed, unsupported ones refused. */
import { createHash } from "node:crypto";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { fieldOfWire } from "../../engine/edit-parameters.ts";
import { checkImageCount } from "../../engine/model-traits.ts";
import { invalid, RetouchError, shownValue } from "../../errors.ts";
import type { JobEdit, JobImages } from "../../jobs/job.ts";
import type { GivenImage } from "../input-image.ts";
import type { ModelTraits } from "../schemas.ts";
import { editOf, type InputSettings } from "../edit-input.ts";
import { failureOf } from "../validation-messages.ts";
import { whereabouts } from "../whereabouts.ts";
import { type FormPart, isPictureField } from "./form.ts";
import { type ImageEditFields, type ImageEditSchema, stepsOfQuality } from "./schemas.ts";

/** What a body of either kind holds. */
export interface ImageEditBody {
  fields: Record<string, unknown>;
  /** A file, or a string as /runsync takes it. */
  images: (string | Uint8Array)[];
}

export interface ImageEditRequest {
  images: readonly GivenImage[];
  /** One for each image requested. */
  edits: Omit<JobEdit, keyof JobImages>[];
  /** Whether the reply has URLs instead of the images. */
  isByAddress: boolean;
}

const NUMBER = /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?\s*$/i;
const NUMBER_OF_SEEDS = 2 ** 32;
/** Fields that would change the image in a way that this model does not support. */
const NOT_SUPPORTED: Readonly<Record<string, string>> = {
  mask: "the prompt says what to change",
  markup: "the prompt says what to change",
  complexity: "there is nothing to plan",
  svg: "results are PNG or JPEG",
  frame_count: "results are PNG or JPEG",
  frame_duration_ms: "results are PNG or JPEG",
};

/**
 * Sorts the parts of a form, converting strings to the schema's types.
 * @throws RetouchError INVALID_PARAMETER
 */
export function bodyOfForm(parts: readonly FormPart[], schema: ImageEditSchema): ImageEditBody {
  const properties: Record<string, TSchema> = schema.properties;
  const fields = new Map<string, unknown>();
  const images: ImageEditBody["images"] = [];
  for (const { name, value } of parts) {
    // Clients send an empty string for none.
    if (value === "") continue;
    if (isPictureField(name)) images.push(value);
    else if (fields.has(name)) throw refused(`The form has ${shownValue(name)} twice.`);
    else if (typeof value !== "string" && Object.hasOwn(properties, name)) {
      throw invalid("type", { field: fieldOfWire(name), wanted: "a text in UTF-8, not a file" });
    } else fields.set(name, typeof value === "string" ? typed(value, properties[name]) : value);
  }
  return { fields: Object.fromEntries(fields), images };
}

interface FormRule {
  type?: string;
  items?: { type?: string };
}

/** A form has only strings, so they are converted; a list of numbers has commas, with brackets or without. */
function typed(text: string, { type, items }: FormRule = {}): unknown {
  if (type === "array" && items?.type === "number") {
    const list = text.trim();
    const parts = (list.startsWith("[") && list.endsWith("]") ? list.slice(1, -1) : list).split(",");
    return parts.every((part) => NUMBER.test(part)) ? parts.map(Number) : text;
  }
  if ((type === "integer" || type === "number") && NUMBER.test(text)) return Number(text);
  if (type === "boolean" && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === "true";
  return text;
}

/** Takes the images out of a JSON body; null counts as absent. @throws RetouchError INVALID_PARAMETER */
export function bodyOfJson(value: unknown): ImageEditBody {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refused("The body must be a form or a JSON object.");
  }
  const { image, images, ...fields } = withoutNulls(value);
  const given = [image, images].flat().filter((picture) => picture !== undefined);
  return { fields, images: given.map(addressOf) };
}

/** Accepts OpenAI's form, `{"image_url": ...}`, or the string alone. */
function addressOf(picture: unknown): string {
  const address =
    typeof picture === "object" && picture !== null ? withoutNulls(picture)["image_url"] : picture;
  if (typeof address === "string") return address;
  throw invalid("type", {
    field: "images",
    wanted: "a list of one object with an image_url; this server keeps no files to refer to",
  });
}

const withoutNulls = (value: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null));

/** Equal for equal requests, whatever the boundary between the parts of a form. */
export function hashOfForm(parts: readonly FormPart[]): string {
  const hash = createHash("sha256");
  for (const { name, value } of parts) {
    hash.update(JSON.stringify([name, typeof value, value.length])).update(value);
  }
  return hash.digest("hex");
}

/** @throws RetouchError INVALID_PARAMETER about the field */
export function createRequestReader(
  schema: ImageEditSchema,
  settings: InputSettings,
  model: ModelTraits,
): (body: ImageEditBody) => ImageEditRequest {
  const check = Compile(schema);
  const ofQuality = stepsOfQuality(model.defaults);
  return ({ fields, images }) => {
    for (const [name, why] of Object.entries(NOT_SUPPORTED)) {
      if (fields[name] !== undefined) throw invalid("unsupported", { field: name, reason: why });
    }
    if (!check.Check(fields)) {
      throw new RetouchError("INVALID_PARAMETER", failureOf(schema, check.Errors(fields) as never, fields));
    }
    const { n = 1, stream, response_format: format, quality, size, ...input } = fields as ImageEditFields;
    if (stream)
      throw invalid("type", {
        field: "stream",
        wanted: "false; /run and /stream tell the progress of an edit",
      });
    const steps = input.num_inference_steps ?? ofQuality[quality ?? ""];
    const edit = editOf(
      {
        ...input,
        ...(size !== undefined && size.trim() !== "" && { size }),
        ...(steps !== undefined && { num_inference_steps: steps }),
        enable_base64_output: false,
      },
      settings,
      model,
    );
    const isMissing = images.length < model.minImages;
    const hint = isMissing ? whereaboutsOfImage(fields) : undefined;
    if (hint !== undefined) throw invalid("misplaced", { field: "image", hint });
    checkImageCount(images.length, model);
    const edits = Array.from({ length: n }, (_, index) => ({ ...edit, seed: nextSeed(edit.seed, index) }));
    return { images, edits, isByAddress: format === "url" };
  };
}

/** A file under another name, or a field that other services have for it. */
function whereaboutsOfImage(fields: Record<string, unknown>): string | undefined {
  const file = Object.entries(fields).find(([, value]) => value instanceof Uint8Array)?.[0];
  if (file === undefined) return whereabouts(["image"], fields);
  return file === ""
    ? "the form has a file without a name of its field"
    : `the form has a file in ${shownValue(file)}`;
}

/** Only the low 32 bits of a seed count. */
const nextSeed = (seed: number, index: number): number =>
  index === 0 ? seed : (seed + index) % NUMBER_OF_SEEDS;

const refused = (sentence: string): RetouchError => new RetouchError("INVALID_PARAMETER", sentence);
