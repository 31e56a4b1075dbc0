/** What the server says about its input: ranges and defaults come from its OpenAPI document. */

import { addressOf } from "./address.ts";

/** One field of `input`, in JSON Schema. */
export interface FieldSchema {
  type?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  pattern?: string;
  maxItems?: number;
  /** On `image`: the field without which the model takes one image alone. */
  "x-needed-for-several"?: string;
  /** Schema of a list's elements, and of their fields. */
  items?: FieldSchema;
  properties?: Readonly<Record<string, FieldSchema>>;
  default?: string | number | boolean | readonly unknown[];
  description?: string;
}

/** One of several models, as the page offers it. */
export interface OfferedModel {
  /** Path of its endpoint, `/v2/NAME`. */
  endpoint: string;
  /** What it takes where an edit does not choose. */
  numSteps: number;
}

/** How many images an edit has. */
export interface ImageLimits {
  minImages: number;
  maxImages: number;
  /** What a model that was trained with one image takes where an edit says how; otherwise the same. */
  maxWithLayout: number;
}

/** What a model says of itself, as the document has it; a model without a card has a name at most. */
export interface ModelFacts {
  title?: string;
  summary?: string;
  /** Side of the square that it draws at, in pixels. */
  native_side?: number;
  /** Whether an edit can be limited by a mask. */
  takes_mask?: boolean;
  /** What to expect of photographs, unless the model is good at them. */
  photographs?: string;
  suggestions?: readonly { instruction: string; suits_any: boolean }[];
}

export interface ServerSchema {
  /** All models of the server, the default one first. */
  models: readonly OfferedModel[];
  /** Path of the endpoint, `/v2/NAME`. */
  endpoint: string;
  model: ModelFacts;
  fields: Readonly<Record<string, FieldSchema>>;
  images: ImageLimits;
  /** Shortest and longest side that `size` may have. */
  sides: { min: number; max: number };
}

interface InputSchema {
  properties: Record<string, FieldSchema>;
  /** One of several names of a field must be there: only `image` has several, if the model needs one. */
  anyOf?: readonly { required: readonly string[] }[];
}

interface OpenApi {
  paths: Record<
    string,
    {
      post: {
        "x-model"?: ModelFacts;
        requestBody: {
          content: Record<string, { schema: { properties: { input: InputSchema } } }>;
        };
      };
    }
  >;
}

/**
 * Reads the document.
 * @param wanted the endpoint to edit with, `/v2/NAME` @default the first
 * @throws Error if the server does not answer
 */
export async function readSchema(wanted: string): Promise<ServerSchema> {
  const response = await fetch(addressOf("openapi.json"));
  if (!response.ok) throw new Error(`The server answered with status ${response.status}.`);
  const { paths } = (await response.json()) as OpenApi;
  const all = Object.entries(paths).flatMap(([path, { post }]) => {
    const [, endpoint] = /^(\/v2\/[^/]+)\/run$/.exec(path) ?? [];
    if (endpoint === undefined) return [];
    const { properties, anyOf = [] } = post.requestBody.content["application/json"]!.schema.properties.input;
    const needsImage = anyOf.some(({ required }) => required.includes("image"));
    const { maxItems = 1, "x-needed-for-several": isRefused } = properties["image"] ?? {};
    // Unless the user says how, a model that was trained with one image gets one.
    const maxImages = isRefused === undefined ? maxItems : 1;
    const images = { minImages: needsImage ? 1 : 0, maxImages, maxWithLayout: maxItems };
    return [{ endpoint, model: post["x-model"] ?? {}, fields: properties, images }];
  });
  const { endpoint, model, fields, images } = all.find((one) => one.endpoint === wanted) ?? all[0]!;
  return {
    models: all.map((one) => ({
      endpoint: one.endpoint,
      numSteps: Number(one.fields["num_inference_steps"]!.default),
    })),
    endpoint,
    model,
    fields,
    images,
    sides: { min: fields["width"]!.minimum!, max: fields["width"]!.maximum! },
  };
}

/** What is wrong with a typed number, in a sentence; undefined if nothing is. */
export function numberProblem(
  text: string,
  { type, minimum = -Infinity, maximum = Infinity }: FieldSchema,
): string | undefined {
  const value = Number(text);
  const isInRange = text.trim() !== "" && value >= minimum && value <= maximum;
  const isWhole = [type].flat().includes("integer");
  if (isInRange && (!isWhole || Number.isInteger(value))) return undefined;
  const range = maximum >= Number.MAX_SAFE_INTEGER ? `from ${minimum}` : `from ${minimum} to ${maximum}`;
  return isWhole ? `A whole number ${range}.` : `A number ${range}.`;
}
