/** A request as code in several languages. */
import type { EditInput } from "./api.ts";

export interface CodeRequest {
  /** URL of the server, without a trailing slash. */
  server: string;
  /** `/v2/NAME`. */
  endpoint: string;
  input: Omit<EditInput, "image" | "enable_preview">;
  /** URLs, in order; undefined for a file of the reader's own. */
  images: readonly (string | undefined)[];
  /** Whether there is a mask, which is a file of the reader's own. */
  hasMask: boolean;
}

export const KEY = "YOUR_API_KEY";

/** An image in code: its URL, or the reader's file and the variable that holds it. */
type CodeFile = { file: string; variable: string };
type CodeImage = { url: string } | CodeFile;

const MASK: CodeFile = { file: "mask.png", variable: "mask" };

/** Each language's name and code. */
export function snippets(request: CodeRequest): Record<string, string> {
  const isOne = request.images.length === 1;
  const images = request.images.map((url, index): CodeImage => {
    const number = isOne ? "" : String(index + 1);
    return url === undefined
      ? { file: `picture${number && `-${number}`}.png`, variable: `picture${number}` }
      : { url };
  });
  return {
    curl: curl(request, images),
    JavaScript: javaScript(request, images),
    "AI SDK": aiSdk(request, images),
    Python: python(request, images),
  };
}

const nameOf = ({ endpoint }: CodeRequest): string => endpoint.replace("/v2/", "");

const json = (value: unknown, indent: string): string =>
  JSON.stringify(value, null, 2).replaceAll("\n", `\n${indent}`);

/** One image as it is, several as a list. */
const listed = (images: readonly string[]): string =>
  images.length === 1 ? images[0]! : `[${images.join(", ")}]`;

function curl({ server, endpoint, input, hasMask }: CodeRequest, images: readonly CodeImage[]): string {
  // Shell single quotes: a quote inside closes them, is escaped, and opens them again.
  const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const end = "\n  }\n}";
  const start = JSON.stringify({ input }, null, 2).slice(0, -end.length);
  // Texts and the files between them.
  const pieces = images.map((image) =>
    "url" in image ? JSON.stringify(image.url) : ['"data:image/png;base64,', image.file, '"'],
  );
  const list = images.length > 1 ? ["[", "]"] : ["", ""];
  const texts: string[] = [start + (images.length > 0 ? `,\n    "image": ${list[0]}` : "")];
  const files: string[] = [];
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) texts[texts.length - 1] += ", ";
    if (typeof piece === "string") texts[texts.length - 1] += piece;
    else {
      texts[texts.length - 1] += piece[0]!;
      files.push(piece[1]!);
      texts.push(piece[2]!);
    }
  }
  texts[texts.length - 1] += list[1]!;
  if (hasMask) {
    texts[texts.length - 1] += ',\n    "mask": "data:image/png;base64,';
    files.push(MASK.file);
    texts.push('"');
  }
  texts[texts.length - 1] += end;
  const print = (text: string): string => `printf '%s' ${quoted(text)};`;
  const parts = files.map((file, index) => `base64 < ${file} | tr -d '\\n'; ${print(texts[index + 1]!)}`);
  const body = files.length > 0 ? `{ ${print(texts[0]!)} ${parts.join(" ")} } |\n` : "";
  return `${body}curl --request POST '${server}${endpoint}/runsync' \\
  --header 'Authorization: Bearer ${KEY}' \\
  --header 'Content-Type: application/json' \\
  --data-binary ${files.length > 0 ? "@-" : quoted(texts[0]!)}`;
}

/** The mask as a data URL. */
const JS_MASK = '`data:image/png;base64,${mask.toString("base64")}`';

const hasFile = (images: readonly CodeImage[]): boolean => images.some((image) => "file" in image);

/** A line that reads each file. */
const readFiles = (images: readonly CodeImage[]): string =>
  images
    .map((image) => ("file" in image ? `const ${image.variable} = await readFile("${image.file}");\n` : ""))
    .join("");

/** What is read from files: the images, and the mask. */
const read = ({ hasMask }: CodeRequest, images: readonly CodeImage[]): readonly CodeImage[] =>
  hasMask ? [...images, MASK] : images;

function javaScript(request: CodeRequest, images: readonly CodeImage[]): string {
  const all = read(request, images);
  const values = images.map((image) =>
    "url" in image
      ? JSON.stringify(image.url)
      : `\`data:image/png;base64,\${${image.variable}.toString("base64")}\``,
  );
  const image = values.length > 0 ? `\n    image: ${listed(values)},` : "";
  const mask = request.hasMask ? `\n    mask: ${JS_MASK},` : "";
  return `${hasFile(all) ? `import { readFile } from "node:fs/promises";\n` : ""}import runpodSdk from "runpod-sdk";

const runpod = runpodSdk("${KEY}", { baseUrl: "${request.server}/v2" });
const endpoint = runpod.endpoint("${nameOf(request)}");
${readFiles(all)}const { status, output, error } = await endpoint.runSync({
  input: {
    ...${json(request.input, "    ")},${image}${mask}
  },
});
console.log(status, output?.image_url ?? error);`;
}

function aiSdk(request: CodeRequest, images: readonly CodeImage[]): string {
  const { server, endpoint, input } = request;
  const { prompt, seed, ...rest } = input;
  // The package's own size is in two numbers.
  const isNumbers = rest.size.includes("*");
  const { size, ...sized } = rest;
  const options = isNumbers ? sized : rest;
  const isOne = images.length === 1;
  const fetched = images.flatMap((image, index) =>
    "url" in image
      ? [
          `const picture${isOne ? "" : index + 1} = await (await fetch(${JSON.stringify(image.url)})).arrayBuffer();\n`,
        ]
      : [],
  );
  const variables = images.map((_, index) => `new Uint8Array(picture${isOne ? "" : index + 1})`);
  const text = JSON.stringify(prompt);
  const all = read(request, images);
  const given = json(options, "  ");
  const withMask = request.hasMask ? `{\n    ...${given},\n    mask: ${JS_MASK},\n  }` : given;
  return `import { ${hasFile(all) ? "readFile, " : ""}writeFile } from "node:fs/promises";
import { createRunpod } from "@runpod/ai-sdk-provider";
import { generateImage } from "ai";

const runpod = createRunpod({ apiKey: "${KEY}", baseURL: "${server}${endpoint}" });
${readFiles(all)}${fetched.join("")}const { image } = await generateImage({
  model: runpod.image("${nameOf(request)}"),
  prompt: ${images.length > 0 ? `{ text: ${text}, images: [${variables.join(", ")}] }` : text},
  ${isNumbers ? `size: "${size.replace("*", "x")}",\n  ` : ""}seed: ${seed},
  providerOptions: { runpod: ${withMask} },
});
await writeFile("edited.${input.output_format}", image.uint8Array);`;
}

function python(request: CodeRequest, images: readonly CodeImage[]): string {
  const all = read(request, images);
  const reads = all.map((image) =>
    "file" in image
      ? `with open("${image.file}", "rb") as file:\n    ${image.variable} = base64.b64encode(file.read()).decode()\n`
      : "",
  );
  const values = images.map((image) =>
    "url" in image ? JSON.stringify(image.url) : `"data:image/png;base64," + ${image.variable}`,
  );
  const image = values.length > 0 ? `\n    "image": ${listed(values)},` : "";
  const mask = request.hasMask ? `\n    "mask": "data:image/png;base64," + ${MASK.variable},` : "";
  return `${hasFile(all) ? "import base64\n\n" : ""}import runpod

runpod.api_key = "${KEY}"
runpod.endpoint_url_base = "${request.server}/v2"
${reads.join("")}endpoint = runpod.Endpoint("${nameOf(request)}")
output = endpoint.run_sync({
${Object.entries(request.input)
  .map(([field, value]) => `    ${JSON.stringify(field)}: ${pythonOf(value)},`)
  .join("\n")}${image}${mask}
})
print(output["image_url"])`;
}

type Json = string | number | boolean | readonly Json[] | object;

/** JSON strings and numbers are valid Python. */
function pythonOf(value: Json): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonOf).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const fields = Object.entries(value).map(
    ([name, field]) => `${JSON.stringify(name)}: ${pythonOf(field as Json)}`,
  );
  return `{${fields.join(", ")}}`;
}
