/** A call of the API as code that works when pasted: curl, JavaScript and Python, each without packages. */

export interface HttpCall {
  method: string;
  url: string;
  /** Whether the API key goes with it. */
  needsKey: boolean;
  headers: Readonly<Record<string, string>>;
  /** A JSON body. */
  body?: unknown;
  /** Fields of a form with an image, in place of a JSON body. */
  form?: Readonly<Record<string, unknown>>;
  /** Whether the answer is an image, which goes into a file. */
  isImage: boolean;
}

export const KEY = "YOUR_API_KEY";

/** Each language's name and code. */
export function callSnippets(call: HttpCall): Record<string, string> {
  const { form, ...rest } = call;
  const snippets: Record<string, string> = {
    curl: curl(rest),
    JavaScript: javaScript(rest),
    Python: python(rest),
  };
  if (form !== undefined) snippets["curl, form"] = curlForm(call, form);
  return snippets;
}

function headersOf({ needsKey, headers, body }: HttpCall): [string, string][] {
  return [
    ...(needsKey ? [["Authorization", `Bearer ${KEY}`] as [string, string]] : []),
    ...(body === undefined ? [] : [["Content-Type", "application/json"] as [string, string]]),
    ...Object.entries(headers),
  ];
}

/** Shell single quotes: a quote inside closes them, is escaped, and opens them again. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

function curl(call: HttpCall): string {
  const { method, url, body, isImage } = call;
  return [
    `curl ${method === "GET" ? "" : `--request ${method} `}${quoted(url)}`,
    ...headersOf(call).map(([name, value]) => `--header ${quoted(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : [`--data ${quoted(JSON.stringify(body, null, 2))}`]),
    ...(isImage ? ["--output image.png"] : []),
  ].join(" \\\n  ");
}

function curlForm(call: HttpCall, form: Readonly<Record<string, unknown>>): string {
  return [
    `curl ${quoted(call.url)}`,
    ...headersOf({ ...call, body: undefined }).map(
      ([name, value]) => `--header ${quoted(`${name}: ${value}`)}`,
    ),
    "--form image=@photo.png",
    ...Object.entries(form).map(([name, value]) => `--form-string ${quoted(`${name}=${String(value)}`)}`),
  ].join(" \\\n  ");
}

function javaScript(call: HttpCall): string {
  const { method, url, body, isImage } = call;
  const headers = headersOf(call).map(
    ([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`,
  );
  const options = [
    ...(method === "GET" ? [] : [`  method: ${JSON.stringify(method)},\n`]),
    ...(headers.length === 0 ? [] : [`  headers: {\n${headers.join("")}  },\n`]),
    ...(body === undefined ? [] : [`  body: JSON.stringify(${indented(body, "  ")}),\n`]),
  ];
  const given = options.length === 0 ? "" : `, {\n${options.join("")}}`;
  const end = isImage
    ? 'await writeFile("image.png", Buffer.from(await response.arrayBuffer()));'
    : "console.log(response.status, await response.text());";
  return `${isImage ? 'import { writeFile } from "node:fs/promises";\n\n' : ""}const response = await fetch(${JSON.stringify(url)}${given});\n${end}`;
}

const indented = (value: unknown, indent: string): string =>
  JSON.stringify(value, null, 2).replaceAll("\n", `\n${indent}`);

function python(call: HttpCall): string {
  const { method, url, body, isImage } = call;
  const headers = headersOf(call).map(
    ([name, value]) => `        ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`,
  );
  const json = body === undefined ? "" : `body = ${pythonOf(body, "")}\n`;
  const options = [
    ...(method === "GET" ? [] : [`    method=${JSON.stringify(method)},\n`]),
    ...(headers.length === 0 ? [] : [`    headers={\n${headers.join("")}    },\n`]),
    ...(body === undefined ? [] : ["    data=json.dumps(body).encode(),\n"]),
  ];
  const end = isImage
    ? `    with open("image.png", "wb") as file:\n        file.write(response.read())`
    : "    print(response.status, response.read().decode())";
  return `${body === undefined ? "" : "import json\n"}import urllib.request

${json}request = urllib.request.Request(
    ${JSON.stringify(url)},
${options.join("")})
with urllib.request.urlopen(request) as response:
${end}`;
}

/** JSON strings and numbers are valid Python. */
function pythonOf(value: unknown, indent: string): string {
  const inner = `${indent}    `;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const isList = Array.isArray(value);
  const items = Object.entries(value).map(
    ([name, item]) => `${inner}${isList ? "" : `${JSON.stringify(name)}: `}${pythonOf(item, inner)},\n`,
  );
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  return items.length === 0 ? open + close : `${open}\n${items.join("")}${indent}${close}`;
}
