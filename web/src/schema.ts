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

export interface ServerSchema {
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

/** Reads the document. @throws Error if the server does not answer */
export async function readSchema(): Promise<ServerSchema> {
  const response = await fetch(addressOf("openapi.json"));
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  const { paths } = (await response.json()) as OpenApi;
  const [path, run] = Object.entries(paths).find(([name]) => /^\/v2\/[^/]+\/run$/.test(name))!;
  const fields = run.post.requestBody.content["application/json"]!.schema.properties.input.properties;
  return {
    endpoint: path.replace(/\/run$/, ""),
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
