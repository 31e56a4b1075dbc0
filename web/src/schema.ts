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

export interface ServerSchema {
  /** All models of the server, the default one first. */
  models: readonly OfferedModel[];
  /** Path of the endpoint, `/v2/NAME`. */
  endpoint: string;
  fields: Readonly<Record<string, FieldSchema>>;
  /** Shortest and longest side that `size` may have. */
  sides: { min: number; max: number };
}

interface OpenApi {
  paths: Record<
    string,
    {
      post: {
        requestBody: {
          content: Record<
            string,
            { schema: { properties: { input: { properties: Record<string, FieldSchema> } } } }
          >;
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
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  const { paths } = (await response.json()) as OpenApi;
  const all = Object.entries(paths).flatMap(([path, { post }]) => {
    const [, endpoint] = /^(\/v2\/[^/]+)\/run$/.exec(path) ?? [];
    if (endpoint === undefined) return [];
    const { properties } = post.requestBody.content["application/json"]!.schema.properties.input;
    return [{ endpoint, fields: properties }];
  });
  const { endpoint, fields } = all.find((one) => one.endpoint === wanted) ?? all[0]!;
  return {
    models: all.map((one) => ({
      endpoint: one.endpoint,
      numSteps: Number(one.fields["num_inference_steps"]!.default),
    })),
    endpoint,
    fields,
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
  if (isInRange && (type !== "integer" || Number.isInteger(value))) return undefined;
  const range = maximum >= Number.MAX_SAFE_INTEGER ? `from ${minimum}` : `from ${minimum} to ${maximum}`;
  return type === "integer" ? `A whole number ${range}.` : `A number ${range}.`;
}
