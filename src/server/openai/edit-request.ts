/** Turns a body in OpenAI's terms into our edits: equal fields are renamed, unsupported ones refused. */
import { createHash } from "node:crypto";
import { addInTurns } from "../../sha256.ts";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { EDIT_PARAMETERS, fieldOfWire } from "../../engine/edit-parameters.ts";
import { autoNotices } from "../../engine/auto-steps.ts";
import { checkMasking } from "../../engine/mask-rules.ts";
import { unknownNames } from "../../engine/request-fields.ts";
import { TRANSPARENT } from "../../engine/result-form.ts";
import { FORMATS } from "../../images/output-format.ts";
import { checkImageCount } from "../../engine/model-traits.ts";
import { invalid, RetouchError, shownValue } from "../../errors.ts";
import type { JobEdit, JobImages } from "../../jobs/job.ts";
import type { GivenImage } from "../input-image.ts";
import type { EditInput, ModelTraits } from "../schemas.ts";
import { checkEmbedded, editOf, formatOf, type InputSettings } from "../edit-input.ts";
import { layoutOfSeveral } from "../several-images.ts";
import { failureOf } from "../validation-messages.ts";
import { whereabouts } from "../whereabouts.ts";
import { type FormPart, isPictureField } from "./form.ts";
import { type ImageEditFields, type ImageEditSchema, stepsOfQuality } from "./schemas.ts";

/** What a body of either kind holds. */
export interface ImageEditBody {
  fields: Record<string, unknown>;
  /** A file, or a string as /runsync takes it. */
  images: (string | Uint8Array)[];
  mask?: string | Uint8Array | undefined;
}

export interface ImageEditRequest {
  images: readonly GivenImage[];
  mask?: GivenImage | undefined;
  /** With as many results as images were requested. */
  edit: Omit<JobEdit, keyof JobImages>;
  form: AnswerForm;
}

/** How the results are told. */
export interface AnswerForm {
  /** Whether the reply has URLs instead of the images. */
  isByAddress: boolean;
  /** Whether it is a stream of events. */
  isStreamed: boolean;
  /** As it was asked for. */
  quality: string | undefined;
}

const NUMBER = /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?\s*$/i;
/** Fields that would change the image in a way that this model does not support. */
export const NOT_SUPPORTED: Readonly<Record<string, string>> = {
  markup: "the prompt says what to change",
  complexity: "there is nothing to plan",
  svg: "results are single images of pixels",
  frame_count: "results are single images of pixels",
  frame_duration_ms: "results are single images of pixels",
};

/**
 * Sorts the parts of a form, converting strings to the schema's types.
 * @throws RetouchError INVALID_PARAMETER
 */
export function bodyOfForm(parts: readonly FormPart[], schema: ImageEditSchema): ImageEditBody {
  const properties: Record<string, TSchema> = schema.properties;
  const fields = new Map<string, unknown>();
  const images: ImageEditBody["images"] = [];
  let mask: ImageEditBody["mask"];
  for (const { name, value } of parts) {
    // Clients send an empty string for none.
    if (value === "") continue;
    if (name === MASK && mask === undefined) mask = value;
    else if (isPictureField(name) && name !== MASK) images.push(value);
    else if (fields.has(name) || name === MASK) throw refused(`The form has ${shownValue(name)} twice.`);
    else if (typeof value !== "string" && Object.hasOwn(properties, name)) {
      throw invalid("type", { field: fieldOfWire(name), wanted: "a text in UTF-8, not a file" });
    } else fields.set(name, typeof value === "string" ? typed(value, properties[name]) : value);
  }
  return { fields: Object.fromEntries(fields), images, mask };
}

const MASK = EDIT_PARAMETERS.mask.wire;

interface FormRule {
  type?: string | readonly string[];
  items?: { type?: string };
}

/** A form has only strings, so they are converted; a list of numbers has commas, with brackets or without. */
function typed(text: string, { type, items }: FormRule = {}): unknown {
  if (type === "array" && items?.type === "number") {
    const list = text.trim();
    const parts = (list.startsWith("[") && list.endsWith("]") ? list.slice(1, -1) : list).split(",");
    return parts.every((part) => NUMBER.test(part)) ? parts.map(Number) : text;
  }
  const isNumber = type !== undefined && /integer|number/.test(String(type));
  if (isNumber && NUMBER.test(text)) return Number(text);
  if (type === "boolean" && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === "true";
  return text;
}

/** Takes the images out of a JSON body; null counts as absent. @throws RetouchError INVALID_PARAMETER */
export function bodyOfJson(value: unknown): ImageEditBody {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refused("The body must be a form or a JSON object.");
  }
  const { image, images, mask, ...fields } = withoutNulls(value);
  const given = [image, images].flat().filter((picture) => picture !== undefined);
  return {
    fields,
    images: given.map((picture) => addressOf(picture, "images")),
    mask: mask === undefined ? undefined : addressOf(mask, "mask"),
  };
}

/** Accepts OpenAI's form, `{"image_url": ...}`, or the string alone. */
function addressOf(picture: unknown, field: "images" | "mask"): string {
  const address =
    typeof picture === "object" && picture !== null ? withoutNulls(picture)["image_url"] : picture;
  if (typeof address === "string") return address;
  throw invalid("type", {
    field,
    wanted: `${field === "mask" ? "an object" : "a list of one object"} with an image_url; this server keeps no files to refer to`,
  });
}

const withoutNulls = (value: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null));

/** Equal for equal requests, whatever the boundary between the parts of a form. */
export async function hashOfForm(parts: readonly FormPart[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { name, value } of parts) {
    hash.update(JSON.stringify([name, typeof value, value.length]));
    if (typeof value === "string") hash.update(value);
    else await addInTurns(hash, value);
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
  const { takesMask = false } = model;
  return ({ fields, images, mask }) => {
    for (const [name, why] of Object.entries(NOT_SUPPORTED)) {
      if (fields[name] !== undefined) throw invalid("unsupported", { field: name, reason: why });
    }
    if (!check.Check(fields)) {
      throw new RetouchError("INVALID_PARAMETER", failureOf(schema, check.Errors(fields) as never, fields));
    }
    const { n = 1, stream, response_format: format, quality, size, ...own } = fields as ImageEditFields;
    const { output_compression: compression, partial_images: numPartials = 0, ...input } = own;
    const isStreamed = stream === true;
    if (numPartials > 0 && !isStreamed)
      throw invalid("onlyWith", { field: "partial_images", other: "stream" });
    if (isStreamed && format === "url") {
      const reason = "the events of a stream hold the pictures";
      throw invalid("forbidden", { field: "response_format", given: format, reason });
    }
    const fileQuality = compression === undefined ? undefined : qualityOf(compression, input);
    const steps = input.num_inference_steps ?? ofQuality[quality ?? ""];
    const wantedSize = size?.trim() || (mask === undefined ? "" : "auto");
    const given = editOf(
      {
        ...input,
        ...(wantedSize !== "" && { size: wantedSize }),
        ...(steps !== undefined && { num_inference_steps: steps }),
        num_images: n,
        ...(fileQuality !== undefined && { output_quality: fileQuality }),
        enable_base64_output: false,
        enable_preview: numPartials > 0,
      },
      settings,
      model,
    );
    const isMissing = images.length < model.minImages;
    const hint = isMissing ? whereaboutsOfImage(fields) : undefined;
    if (hint !== undefined) throw invalid("misplaced", { field: "image", hint });
    const several = layoutOfSeveral(images.length, model, {
      layout: given.imageLayout,
      hasMask: mask !== undefined,
    });
    const edit = { ...given, imageLayout: several.layout };
    checkImageCount(images.length, model, edit.imageLayout, mask !== undefined);
    // Clients of the first such model leave the mask out and make what is to change transparent.
    const isTransparencyEdited = takesMask && (mask !== undefined || images.length === 1);
    const isSought = isTransparencyEdited && edit.background !== TRANSPARENT;
    const hasMask = mask !== undefined || isSought;
    checkMasking(edit, { hasMask, numImages: images.length, takesMask });
    const notices = [
      ...unknownNames(fields, Object.keys(schema.properties)),
      ...several.notices,
      ...autoNotices({ numSteps: steps, sigmas: edit.sigmas }, model.defaults, edit.sampler!),
    ];
    const requestNotices = notices.length > 0 ? notices : undefined;
    const isByAddress = format === "url";
    if (!isByAddress) checkEmbedded("n", n, edit.size);
    const wanted = { isTransparencyEdited, requestNotices, ...(numPartials > 0 && { numPartials }) };
    return { images, mask, edit: { ...edit, ...wanted }, form: { isByAddress, isStreamed, quality } };
  };
}

/** OpenAI's compression is the quality; PNG is always exact. @throws RetouchError INVALID_PARAMETER */
function qualityOf(compression: number, input: Pick<EditInput, OutputFields>): number | undefined {
  if (input.output_quality !== undefined) {
    throw invalid("notTogether", { field: "output_compression", other: "outputQuality" });
  }
  const isExact = FORMATS[formatOf(input)].defaultQuality === undefined;
  if (isExact && compression < 100) {
    const reason = "PNG is always lossless; choose jpeg, webp or avif as output_format";
    throw invalid("forbidden", { field: "output_compression", given: compression, reason });
  }
  return isExact ? undefined : Math.max(compression, EDIT_PARAMETERS.outputQuality.min);
}

type OutputFields = "output_format" | "image_format" | "output_quality";

/** A file under another name, or a field that other services have for it. */
function whereaboutsOfImage(fields: Record<string, unknown>): string | undefined {
  const file = Object.entries(fields).find(([, value]) => value instanceof Uint8Array)?.[0];
  if (file === undefined) return whereabouts(["image"], fields);
  return file === ""
    ? "the form has a file without a name of its field"
    : `the form has a file in ${shownValue(file)}`;
}

const refused = (sentence: string): RetouchError => new RetouchError("INVALID_PARAMETER", sentence);
