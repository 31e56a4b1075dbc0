/** The parts of an OpenAPI 3.1 document that the reference shows. */

export interface Schema {
  type?: string | readonly string[];
  const?: unknown;
  enum?: readonly unknown[];
  anyOf?: readonly Schema[];
  items?: Schema;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  format?: string;
  default?: unknown;
  description?: string;
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  description?: string;
  schema: Schema;
  example?: string;
}

export interface Content {
  schema?: Schema;
  example?: unknown;
}

export interface Answer {
  description?: string;
  headers?: Readonly<Record<string, { schema?: Schema; description?: string }>>;
  content?: Readonly<Record<string, Content>>;
}

export interface Operation {
  tags?: readonly string[];
  operationId: string;
  summary?: string;
  security?: readonly unknown[];
  parameters?: readonly Parameter[];
  requestBody?: { content: Readonly<Record<string, Content>> };
  responses: Readonly<Record<string, Answer>>;
}

export interface OpenApi {
  info: { title: string; version: string; description: string };
  servers?: readonly { url: string; description?: string }[];
  tags?: readonly { name: string; description?: string }[];
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** An operation with everything that its section shows. */
export interface Call extends Operation {
  /** As sent; several where they do the same. */
  methods: readonly string[];
  path: string;
}

/** All operations, those that differ in their method alone as one. */
export function callsOf({ paths }: OpenApi): Call[] {
  return Object.entries(paths).flatMap(([path, methods]) => {
    const calls: Call[] = [];
    for (const [method, operation] of Object.entries(methods)) {
      if (method === "head") continue;
      const same = calls.findIndex(({ summary }) => summary === operation.summary);
      const known = calls[same];
      if (known === undefined) calls.push({ ...operation, path, methods: [method.toUpperCase()] });
      else calls[same] = { ...known, methods: [...known.methods, method.toUpperCase()] };
    }
    return calls;
  });
}

/** The origin of the examples' own server, which the page replaces by the address that it was opened at. */
const EXAMPLE_SERVER = /^https?:\/\/[^/]+(?:\/.*)?(?=\/examples\/)/;

/** An example with its images at `server`. @param server without a trailing slash */
export function exampleAt(example: unknown, server: string): unknown {
  if (typeof example === "string") return example.replace(EXAMPLE_SERVER, server);
  if (Array.isArray(example)) return example.map((one) => exampleAt(one, server));
  if (typeof example !== "object" || example === null) return example;
  return Object.fromEntries(Object.entries(example).map(([name, one]) => [name, exampleAt(one, server)]));
}
