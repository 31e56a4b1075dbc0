/** The request that was just made, as code that works when pasted. */
import type { EditInput } from "./api.ts";
import { copyTextOf } from "./clipboard.ts";
import { button, element } from "./dom.ts";

export interface CodeRequest {
  /** URL of the server, without a trailing slash. */
  server: string;
  /** `/v2/NAME`. */
  endpoint: string;
  /** `image` is a URL, or undefined for the reader's own file. */
  input: Omit<EditInput, "image" | "enable_preview"> & { image: string | undefined };
}

export const KEY = "YOUR_API_KEY";
const FILE = "picture.png";
const COPIED_MS = 1500;
const NOT_COPIED =
  "This browser does not let the page copy; the code is selected, copy it with Ctrl+C or ⌘C.";

/** Each language's name and code. */
export function snippets({ server, endpoint, input }: CodeRequest): Record<string, string> {
  const { image, ...rest } = input;
  const name = endpoint.replace("/v2/", "");
  const isFile = image === undefined;
  const json = (value: unknown, indent: string): string =>
    JSON.stringify(value, null, 2).replaceAll("\n", `\n${indent}`);
  const address = server + endpoint;
  // Shell single quotes: a quote inside closes them, is escaped, and opens them again.
  const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const body = json({ input: { ...rest, image: isFile ? "IMAGE" : image } }, "");
  const curlBody = isFile
    ? `{ printf '%s' ${quoted(body.split("IMAGE")[0]!)}; printf 'data:image/png;base64,'; base64 < ${FILE} | tr -d '\\n'; printf '%s' ${quoted(body.split("IMAGE")[1]!)}; } |\n`
    : "";
  const { prompt, size, seed, ...options } = rest;
  return {
    curl: `${curlBody}curl --request POST '${address}/runsync' \\
  --header 'Authorization: Bearer ${KEY}' \\
  --header 'Content-Type: application/json' \\
  --data-binary ${isFile ? "@-" : quoted(body)}`,
    JavaScript: `${isFile ? `import { readFile } from "node:fs/promises";\n` : ""}import runpodSdk from "runpod-sdk";

const runpod = runpodSdk("${KEY}", { baseUrl: "${server}/v2" });
const endpoint = runpod.endpoint("${name}");
${isFile ? `const picture = await readFile("${FILE}");\n` : ""}const { status, output, error } = await endpoint.runSync({
  input: {
    ...${json(rest, "    ")},
    image: ${isFile ? '`data:image/png;base64,${picture.toString("base64")}`' : JSON.stringify(image)},
  },
});
console.log(status, output?.image_url ?? error);`,
    "AI SDK": `import { ${isFile ? "readFile, " : ""}writeFile } from "node:fs/promises";
import { createRunpod } from "@runpod/ai-sdk-provider";
import { generateImage } from "ai";

const runpod = createRunpod({ apiKey: "${KEY}", baseURL: "${address}" });
${isFile ? `const picture = await readFile("${FILE}");\n` : `const picture = await (await fetch(${JSON.stringify(image)})).arrayBuffer();\n`}const { image } = await generateImage({
  model: runpod.image("${name}"),
  prompt: { text: ${JSON.stringify(prompt)}, images: [new Uint8Array(picture)] },
  size: "${size.replace("*", "x")}",
  seed: ${seed},
  providerOptions: { runpod: ${json(options, "  ")} },
});
await writeFile("edited.${rest.output_format}", image.uint8Array);`,
    Python: `${isFile ? "import base64\n\n" : ""}import runpod

runpod.api_key = "${KEY}"
runpod.endpoint_url_base = "${server}/v2"
${isFile ? `with open("${FILE}", "rb") as file:\n    picture = base64.b64encode(file.read()).decode()\n` : ""}endpoint = runpod.Endpoint("${name}")
output = endpoint.run_sync({
${Object.entries(rest)
  .map(([field, value]) => `    ${JSON.stringify(field)}: ${pythonOf(value)},`)
  .join("\n")}
    "image": ${isFile ? '"data:image/png;base64," + picture' : JSON.stringify(image)},
})
print(output["image_url"])`,
  };
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

/** Tabs for the snippets, one shown at a time, with a button that copies it. */
export function codeTabs(request: CodeRequest): HTMLElement {
  const texts = Object.entries(snippets(request));
  const text = element("code", {});
  const panel = element("pre", { id: "code-panel", role: "tabpanel", tabindex: 0 }, text);
  const tabs = texts.map(([name, snippet], index) => {
    const tab = button(name, () => choose(index), "tab");
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", "code-panel");
    tab.addEventListener("keydown", ({ key }) => {
      const step = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
      if (step === 0) return;
      const next = (index + step + tabs.length) % tabs.length;
      choose(next);
      tabs[next]!.focus();
    });
    tab.dataset["snippet"] = snippet;
    return tab;
  });
  function choose(index: number): void {
    for (const [place, tab] of tabs.entries()) {
      tab.setAttribute("aria-selected", String(place === index));
      tab.tabIndex = place === index ? 0 : -1;
    }
    text.textContent = texts[index]![1];
    failure.textContent = "";
    panel.setAttribute("aria-label", texts[index]![0]);
  }
  const copy = button("Copy", () => {
    void copyTextOf(text).then((isCopied) => {
      failure.textContent = isCopied ? "" : NOT_COPIED;
      if (!isCopied) return;
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), COPIED_MS);
    });
  });
  const failure = element("p", { class: "faint note", role: "status" });
  choose(0);
  return element(
    "div",
    { class: "code" },
    element(
      "div",
      { class: "tabs" },
      element("div", { role: "tablist", "aria-label": "Language" }, ...tabs),
      copy,
    ),
    failure,
    panel,
  );
}
