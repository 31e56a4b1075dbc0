/** The OpenAPI document around the routes' own schemas: servers, families of operations, examples. */
import swagger, { type SwaggerOptions } from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { version } from "../../version.ts";
import { examplesOf } from "./examples.ts";
import type { ExampleContext } from "./operation-examples.ts";
import { failureExample } from "./failure-examples.ts";

/** Where a server without RETOUCH_PUBLIC_URL is by default. */
const DEFAULT_SERVER = "http://127.0.0.1:8000";

export interface DocumentOptions {
  publicUrl: string | undefined;
  endpointId: string;
}

/** Families in their order; each has the routes that begin with one of its prefixes. */
const FAMILIES = [
  { name: "Edits", description: "Submit an edit.", routes: ["/run", "/runsync"] },
  {
    name: "Jobs",
    description: "Follow, cancel and list jobs.",
    routes: [
      "/status",
      "/status-sync",
      "/stream",
      "/cancel",
      "/retry",
      "/purge-queue",
      "/requests",
      "/queue",
      "/receipt",
    ],
  },
  {
    name: "Endpoint",
    description: "What the endpoint has and what a key has used.",
    routes: ["/health", "/usage", "/loras", "/estimate", "/webhook-deliveries"],
  },
  { name: "Images", description: "Download and show images.", routes: ["/files", "/examples", "/picture"] },
  { name: "OpenAI", description: "The same edits for OpenAI's clients.", routes: ["/v1"] },
  {
    name: "Black Forest Labs",
    description: "The same edits for clients of Black Forest Labs.",
    routes: ["/bfl"],
  },
  { name: "Replicate", description: "The same edits for Replicate's clients.", routes: ["/replicate"] },
  {
    name: "Operators",
    description: "Keys, queues, workers and reviews, for an operator's key.",
    routes: ["/operator"],
  },
  {
    name: "Operation",
    description: "For load balancers and monitoring.",
    routes: ["/healthz", "/readyz", "/metrics", "/.well-known"],
  },
] as const;

const EVENTS = "text/event-stream";

interface Content {
  schema: { properties?: Record<string, object> };
  example?: unknown;
}

interface Operation {
  tags?: string[];
  operationId?: string;
  parameters?: { name: string; example?: unknown }[];
  requestBody?: { content: Record<string, Content>; required?: boolean };
  responses: Record<string, { content?: Record<string, Content> }>;
}

type Document = Record<string, unknown> & { paths?: Record<string, Record<string, Operation>> };

/** Makes the document of all routes that are added after it. */
export async function addDocument(app: FastifyInstance, options: DocumentOptions): Promise<void> {
  await app.register(swagger, documentOptions(options));
}

function documentOptions({ publicUrl, endpointId }: DocumentOptions): SwaggerOptions {
  const context = { server: publicUrl?.replace(/\/$/, "") ?? DEFAULT_SERVER, endpointId };
  return {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Retouch", version, description: "Self-hosted FLUX.1 Kontext image editing." },
      components: {
        securitySchemes: {
          key: { type: "http", scheme: "bearer" },
          "x-key": { type: "apiKey", in: "header", name: "x-key" },
        },
      },
    },
    transformObject: (made) => {
      if (!("openapiObject" in made)) return made.swaggerObject;
      const document = made.openapiObject as Document;
      document["servers"] = [
        publicUrl === undefined
          ? { url: "/", description: "The server that this document comes from." }
          : { url: context.server, description: "The server's public URL." },
      ];
      document["tags"] = FAMILIES.map(({ name, description }) => ({ name, description }));
      for (const [path, methods] of Object.entries(document.paths ?? {})) {
        for (const [method, operation] of Object.entries(methods)) complete(path, method, operation, context);
      }
      return document as typeof made.openapiObject;
    },
  };
}

/** The route of a path, the same for every endpoint. */
export const routeOf = (path: string): string => path.replace(/^\/v2\/[^/]+/, "");

function complete(path: string, method: string, operation: Operation, context: ExampleContext): void {
  const route = routeOf(path);
  const [start] = /^\/[^/]*/.exec(route)!;
  const family = FAMILIES.find(({ routes }) => (routes as readonly string[]).includes(start));
  if (family === undefined) throw new Error(`${path} belongs to no family of operations.`);
  operation.tags = [family.name];
  operation.operationId = `${method}${path.replaceAll(/[^a-z0-9]+/gi, "-").replace(/-$/, "")}`;
  const examples = examplesOf(method, route, context);
  for (const parameter of operation.parameters ?? []) {
    const example = examples.parameters?.[parameter.name];
    if (example !== undefined) parameter.example = example;
  }
  if (operation.requestBody) {
    operation.requestBody.required = true;
    for (const [type, content] of Object.entries(operation.requestBody.content)) {
      const example = type === "application/json" ? examples.body : examples.form;
      if (example !== undefined) content.example = example;
    }
  }
  for (const [status, { content = {} }] of Object.entries(operation.responses)) {
    for (const [type, one] of Object.entries(content)) {
      const isText = type.endsWith("json") || type === "text/plain" || type === EVENTS;
      const answer = type === EVENTS ? examples.events : examples.answer;
      const example = Number(status) < 300 ? answer : failureExample(route, Number(status), one.schema);
      if (isText && example !== undefined) one.example = example;
    }
  }
}
