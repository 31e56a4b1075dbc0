/** The reference: the server's own OpenAPI document, made readable and ready to try. */
import { addressOf, home } from "./address.ts";
import { callSection } from "./call-section.ts";
import { element, find } from "./dom.ts";
import { withCode } from "./inline-code.ts";
import { readKey, writeKey } from "./key-store.ts";
import { keyProblem } from "./key-text.ts";
import { type Call, callsOf, type OpenApi } from "./openapi.ts";
import { JOB_FIELD } from "./try-call.ts";

const file = addressOf("openapi.json");
function draw(document: OpenApi): void {
  const { info, servers = [], tags = [] } = document;
  const server = home.href.replace(/\/$/, "");
  find("intro").replaceChildren(
    `${info.description} Version ${info.version}. The same as a file: `,
    element("a", { href: file }, "openapi.json"),
    ".",
  );
  const addresses = new Set([
    server,
    ...servers.map(({ url }) => new URL(url, home).href.replace(/\/$/, "")),
  ]);
  find("servers").replaceChildren(
    ...[...addresses].map((url) => element("li", {}, element("code", {}, url))),
  );
  keyForm();
  const calls = callsOf(document);
  const names = [...new Set([...tags.map(({ name }) => name), ...calls.map(familyOf)])];
  for (const name of names) {
    const own = calls.filter((call) => familyOf(call) === name);
    if (own.length === 0) continue;
    const about = tags.find((tag) => tag.name === name)?.description ?? "";
    const id = `family-${name.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase()}`;
    find("contents").append(
      element(
        "div",
        { class: "family" },
        element("a", { href: `#${id}`, class: "family-name" }, name),
        ...own.map(entry),
      ),
    );
    find("calls").append(
      element(
        "section",
        { class: "family-calls", "aria-labelledby": id },
        element("h2", { id }, name),
        element("p", { class: "faint" }, about),
        ...own.map((call) => callSection(call, server, { onJob })),
      ),
    );
  }
  find("filter").addEventListener("input", () => filter(calls));
  addEventListener("hashchange", openTarget);
  openTarget();
}

const familyOf = ({ tags: [name = "Calls"] = [] }: Call): string => name;

function entry(call: Call): HTMLElement {
  const { operationId, methods, path, summary = "" } = call;
  return element(
    "a",
    { href: `#${operationId}`, class: "entry", "data-call": operationId, title: summary.replaceAll("`", "") },
    element("span", { class: "method" }, methods[0]!),
    " ",
    path.replace(/^\/v2\/[^/]+/, "…"),
  );
}

/** The key that the playground keeps, or another one instead. */
function keyForm(): void {
  const input = find<HTMLInputElement>("docs-key");
  const problem = find("docs-key-error");
  input.value = readKey();
  find("docs-key-form").addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("change", () => {
    const key = input.value.trim();
    problem.textContent = key === "" ? "" : (keyProblem(key) ?? "");
    if (problem.textContent === "") writeKey(key === "" ? undefined : key);
  });
}

/** Fills the id of a submitted job into every form that asks for one. */
function onJob(id: string): void {
  for (const field of document.querySelectorAll<HTMLInputElement>(`input.${JOB_FIELD}`)) field.value = id;
}

function filter(calls: readonly Call[]): void {
  const words = find<HTMLInputElement>("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const call of calls) {
    const text = [...call.methods, call.path, call.summary, familyOf(call), ...fieldsOf(call)]
      .join(" ")
      .toLowerCase();
    const isFound = words.every((word) => text.includes(word));
    if (isFound) shown += 1;
    find(call.operationId).hidden = !isFound;
    document.querySelector<HTMLElement>(`[data-call="${call.operationId}"]`)!.hidden = !isFound;
  }
  for (const box of document.querySelectorAll<HTMLElement>(".family, .family-calls")) {
    box.hidden = box.querySelector(".entry:not([hidden]), .call:not([hidden])") === null;
  }
  find("filter-state").replaceChildren(
    ...withCode(words.length === 0 ? "" : `${shown} of ${calls.length} calls`),
  );
}

const fieldsOf = ({ parameters = [], requestBody }: Call): string[] => {
  const schema = requestBody?.content["application/json"]?.schema;
  const input = schema?.properties?.["input"]?.properties ?? {};
  return [
    ...parameters.map(({ name }) => name),
    ...Object.keys(schema?.properties ?? {}),
    ...Object.keys(input),
  ];
};

/** The browser looked for the target before it was there. */
function openTarget(): void {
  const id = decodeURIComponent(location.hash.slice(1));
  if (id !== "") document.getElementById(id)?.scrollIntoView();
}

const openApi = await fetch(file)
  .then(async (response) => (response.ok ? ((await response.json()) as OpenApi) : undefined))
  .catch(() => undefined);
if (openApi === undefined) find("intro").textContent = "The server is not responding. Reload the page.";
else draw(openApi);
