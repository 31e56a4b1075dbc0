/** The reference: the server's own OpenAPI document, made readable. */
import { addressOf } from "./address.ts";
import { element, find } from "./dom.ts";

interface Schema {
  type?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  default?: unknown;
  description?: string;
}

interface Call {
  summary?: string;
  description?: string;
  security?: unknown[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>;
}

interface OpenApi {
  info: { title: string; version: string; description: string };
  paths: Record<string, Record<string, Call>>;
}

const file = addressOf("openapi.json");
const openApi = await fetch(file)
  .then(async (response) => (response.ok ? ((await response.json()) as OpenApi) : undefined))
  .catch(() => undefined);
if (openApi === undefined) find("intro").textContent = "The server does not answer; load the page again.";
else draw(openApi);

function draw({ info, paths }: OpenApi): void {
  find("intro").replaceChildren(
    `${info.description} Version ${info.version}; the same as a file: `,
    element("a", { href: file }, "openapi.json"),
    ".",
  );
  const isOnly = Object.keys(paths).filter((path) => /^\/v2\/[^/]+\/run$/.test(path)).length <= 1;
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, call] of Object.entries(methods)) {
      if (method === "head") continue;
      const id = `${method}-${path.replaceAll(/[^a-z0-9]+/gi, "-")}`;
      // Where there is one endpoint, its name is the same in all of them.
      const short = isOnly ? path.replace(/^\/v2\/[^/]+/, "…") : path;
      find("contents").append(element("a", { href: `#${id}` }, `${method.toUpperCase()} ${short}`));
      find("calls").append(describe(id, method, path, call));
    }
  }
}

function describe(id: string, method: string, path: string, call: Call): HTMLElement {
  const { summary = "", security = [], parameters = [], requestBody, responses } = call;
  const section = element(
    "section",
    { id, class: "call" },
    element("h2", {}, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path)),
    element("p", {}, `${summary}.${security.length > 0 ? " Needs an API key." : ""}`),
  );
  if (parameters.length > 0) {
    const rows = parameters.map(
      (parameter) =>
        [
          parameter.name,
          `${parameter.in}. ${parameter.description ?? sentence(parameter.schema)}`,
          0,
        ] as const,
    );
    section.append(element("h3", {}, "Parameters"), fields(rows));
  }
  for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) {
    section.append(element("h3", {}, `Body (${type})`), fields(rowsOf(schema, 0)));
  }
  section.append(
    element("h3", {}, "Answers"),
    fields(
      Object.entries(responses).flatMap(([status, { description, content = {} }]) => {
        const schema = content["application/json"]?.schema;
        const types = Object.keys(content).join(", ");
        const text = description && description !== "Default Response" ? `${description} ` : "";
        const row: Row = [status, `${text}${types}`, 0];
        return [row].concat(status === "200" && schema ? rowsOf(schema, 1) : []);
      }),
    ),
  );
  return section;
}

type Row = readonly [name: string, text: string, depth: number];

function rowsOf(schema: Schema, depth: number): Row[] {
  const inner = schema.type === "array" ? schema.items : schema;
  return Object.entries(inner?.properties ?? {}).flatMap(([name, property]) => {
    const isRequired = inner?.required?.includes(name) ?? false;
    const row: Row = [name, `${sentence(property)}${isRequired && depth === 0 ? " Required." : ""}`, depth];
    return [row].concat(rowsOf(property, depth + 1));
  });
}

function fields(rows: readonly Row[]): HTMLElement {
  return element(
    "dl",
    { class: "fields" },
    ...rows.flatMap(([name, text, depth]) => [
      element("dt", { class: depth > 0 ? "deep" : "" }, element("code", {}, name)),
      element("dd", {}, text),
    ]),
  );
}

/** The values of a choice, given as an enum or as one schema per value. */
function choicesOf({ anyOf, enum: values }: Schema): string | undefined {
  const choices = anyOf?.map((choice) => choice.enum?.[0] ?? choice.type) ?? values;
  return choices?.map((choice) => JSON.stringify(choice)).join(" or ");
}

/** Type, range, default and meaning in one line. */
function sentence(schema: Schema): string {
  const { type, minimum, maximum, maxLength, description = "" } = schema;
  const kind = type === "object" ? type : (choicesOf(schema) ?? type ?? "");
  const range =
    minimum !== undefined && maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER
      ? `, ${minimum} to ${maximum}`
      : "";
  const length = maxLength === undefined ? "" : `, at most ${maxLength} characters`;
  const fallback = schema.default === undefined ? "" : `, ${JSON.stringify(schema.default)} by default`;
  return `${kind}${range}${length}${fallback}. ${description}`.trim();
}
