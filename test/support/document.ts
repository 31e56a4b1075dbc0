/** Holds answers of the server against its OpenAPI document: nothing is sent that is not promised there. */
import type { FastifyInstance } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";

interface Operation {
  security?: object[];
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

export interface Document {
  paths: Record<string, Record<string, Operation>>;
}

export const documentOf = (app: FastifyInstance): Document => app.swagger() as unknown as Document;

export interface SentAnswer {
  method: string;
  /** Path, with or without a query. */
  url: string;
  status: number;
  contentType: string;
  body: string;
}

/** @returns what of an answer the document does not promise; nothing for routes that are not in it */
export function undocumented(document: Document, answer: SentAnswer): string[] {
  const { method, status, contentType, body } = answer;
  const path = answer.url
    .replace(/\?.*$/, "")
    .replaceAll(/\/{2,}/g, "/")
    .replace(/(?<=.)\/$/, "");
  const template = Object.keys(document.paths).find((known) =>
    new RegExp(`^${known.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`).test(path),
  );
  const operation = template && document.paths[template]![method.toLowerCase()];
  if (!operation) return [];
  const promised = operation.responses[status];
  if (promised === undefined) return [`${method} ${template} is not documented with ${status}`];
  if (!contentType.startsWith("application/json")) return [];
  const schema = promised.content?.["application/json"]?.schema;
  if (schema === undefined) return [];
  return Compile(closed(schema) as TSchema)
    .Errors(JSON.parse(body))
    .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

/** The same schema without room for fields that it does not name. */
export function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  const isObject = "properties" in schema && (schema as { type?: unknown }).type === "object";
  return isObject ? { ...inner, additionalProperties: false } : inner;
}
