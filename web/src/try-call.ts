/** "Try it": a form that sends a call with the key of this browser, and shows what comes back. */
import { addressOf, ownAddressOf } from "./address.ts";
import { button, element, show } from "./dom.ts";
import { readKey } from "./key-store.ts";
import { type Call, exampleAt } from "./openapi.ts";

export interface TryOptions {
  /** Called with the ids of jobs that answers name, for the forms of other calls. */
  onJob: (id: string) => void;
}

/** Headers that tell a client what to do. */
const SHOWN_HEADERS = [
  "content-type",
  "retry-after",
  "allow",
  "etag",
  "cache-control",
  "x-should-retry",
  "www-authenticate",
];
/** More than this of a body is cut on the page. */
const MAX_SHOWN = 20_000;
/** More of a single text, such as an image in base64, is cut. */
const MAX_VALUE = 400;
export const JOB_FIELD = "job-id-field";

export function tryForm(call: Call, server: string, options: TryOptions): HTMLElement {
  const { operationId: id, parameters = [], requestBody } = call;
  const inputs = parameters.map((parameter) => {
    const control = element("input", {
      id: `${id}-${parameter.name}`,
      type: "text",
      spellcheck: false,
      autocomplete: "off",
      required: parameter.required === true,
      value: parameter.required && !isJobId(call, parameter.name) ? (parameter.example ?? "") : "",
      placeholder: parameter.example ?? "",
      class: isJobId(call, parameter.name) ? JOB_FIELD : "",
    });
    const label = element(
      "label",
      { for: control.id },
      element("code", {}, parameter.name),
      parameter.required ? " (required)" : "",
    );
    return { parameter, control, row: element("div", { class: "try-row" }, label, control) };
  });
  const json = requestBody?.content["application/json"];
  const body = json && element("textarea", { id: `${id}-body`, rows: 9, spellcheck: false });
  if (body) body.value = JSON.stringify(exampleAt(json.example ?? {}, server), null, 2);
  const problem = element("p", { class: "error", role: "alert" });
  const result = element("div", { class: "try-result", "aria-live": "polite" });
  const send = element("button", { type: "submit", class: "primary" }, "Send request");
  let abort: AbortController | undefined;
  const cancel = button("Cancel", () => abort?.abort());
  cancel.hidden = true;
  const form = element(
    "form",
    { novalidate: true },
    ...inputs.map(({ row }) => row),
    ...(body
      ? [element("div", { class: "try-row" }, element("label", { for: body.id }, "Body, JSON"), body)]
      : []),
    problem,
    element("div", { class: "actions" }, send, cancel),
    result,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    problem.textContent = problemOf() ?? "";
    if (problem.textContent !== "") return;
    void run();
  });

  function problemOf(): string | undefined {
    const missing = inputs.find(
      ({ parameter, control }) => parameter.required && control.value.trim() === "",
    );
    if (missing) {
      missing.control.focus();
      return `Fill in ${missing.parameter.name}.`;
    }
    if ((call.security ?? []).length > 0 && readKey() === "")
      return "Enter an API key at the top of the page first.";
    if (body === undefined) return undefined;
    try {
      JSON.parse(body.value);
      return undefined;
    } catch (error) {
      body.focus();
      return `The body is not valid JSON: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  async function run(): Promise<void> {
    abort = new AbortController();
    send.disabled = true;
    cancel.hidden = false;
    result.replaceChildren(element("p", { class: "faint" }, "Waiting for the answer…"));
    const began = performance.now();
    try {
      const response = await fetch(urlOf(), {
        method: call.methods[0]!,
        headers: headersOf(),
        signal: abort.signal,
        ...(body && { body: body.value }),
      });
      await showAnswer(response, result, performance.now() - began, options);
    } catch {
      const text = abort.signal.aborted ? "Cancelled." : "The server is not responding.";
      result.replaceChildren(element("p", { class: "error" }, text));
    } finally {
      send.disabled = false;
      cancel.hidden = true;
    }
  }

  function urlOf(): string {
    const valueOf = (name: string): string =>
      inputs.find((one) => one.parameter.name === name)?.control.value.trim() ?? "";
    const path = call.path.replaceAll(/\{([^{}]+)\}/g, (_, name: string) =>
      encodeURIComponent(valueOf(name)),
    );
    const query = new URLSearchParams(
      inputs
        .filter(({ parameter, control }) => parameter.in === "query" && control.value.trim() !== "")
        .map(({ parameter }) => [parameter.name, valueOf(parameter.name)]),
    ).toString();
    return addressOf(path) + (query && `?${query}`);
  }

  function headersOf(): Record<string, string> {
    const given = inputs.filter(
      ({ parameter, control }) => parameter.in === "header" && control.value.trim() !== "",
    );
    return {
      ...((call.security ?? []).length > 0 && { authorization: `Bearer ${readKey()}` }),
      ...(body && { "content-type": "application/json" }),
      ...Object.fromEntries(given.map(({ parameter, control }) => [parameter.name, control.value.trim()])),
    };
  }

  return element("details", { class: "try" }, element("summary", {}, "Try it"), form);
}

const isJobId = ({ path }: Call, name: string): boolean => name === "id" && path.includes("{id}");

async function showAnswer(
  response: Response,
  result: HTMLElement,
  ms: number,
  { onJob }: TryOptions,
): Promise<void> {
  const { status, statusText, headers } = response;
  const head = element(
    "p",
    {},
    element("strong", {}, `${status} ${statusText}`.trim()),
    ` after ${(ms / 1000).toFixed(2)} s`,
  );
  const shown = SHOWN_HEADERS.flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [element("dt", {}, name), element("dd", {}, value)];
  });
  const parts: Node[] = [head, element("dl", { class: "facts" }, ...shown)];
  const type = headers.get("content-type") ?? "";
  if (type.startsWith("image/")) {
    const picture = element("img", { alt: "The image of the answer", class: "try-picture" });
    show(picture, await response.blob());
    parts.push(picture);
  } else {
    const text = await response.text();
    const value = jsonOf(text);
    parts.push(bodyBlock(value === undefined ? text : JSON.stringify(value, shortened, 2)));
    if (value !== undefined) {
      parts.push(...picturesOf(value));
      const { id } = (value ?? {}) as { id?: unknown };
      if (response.ok && typeof id === "string") onJob(id);
    }
  }
  result.replaceChildren(...parts);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const shortened = (_: string, value: unknown): unknown =>
  typeof value === "string" && value.length > MAX_VALUE
    ? `${value.slice(0, MAX_VALUE)}… (${value.length} characters)`
    : value;

function bodyBlock(text: string): HTMLElement {
  const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
  return element(
    "pre",
    { tabindex: 0, role: "group", "aria-label": "Body of the answer" },
    element("code", {}, shown),
  );
}

const MAX_PICTURES = 8;

/** Images that an answer names: results on this server, data URLs, and images in base64. */
function picturesOf(value: unknown): HTMLElement[] {
  const sources = new Set<string>();
  collect(value, sources);
  return [...sources]
    .slice(0, MAX_PICTURES)
    .map((src) => element("img", { src, alt: "An image of the answer", class: "try-picture" }));
}

function collect(value: unknown, sources: Set<string>): void {
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    if (typeof inner !== "string") collect(inner, sources);
    else if (name === "b64_json") sources.add(`data:image/*;base64,${inner}`);
    else if (/^data:image\/(?:png|jpeg|webp|avif);base64,/.test(inner)) sources.add(inner);
    else {
      const own = ownAddressOf(inner);
      if (own !== undefined) sources.add(own);
    }
  }
}
