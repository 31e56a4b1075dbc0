/** One operation of the API: what it takes, what it answers, code, and a form that sends it. */
import { element } from "./dom.ts";
import { withCode } from "./inline-code.ts";
import { codeTabs } from "./code-tabs.ts";
import { snippetsOf } from "./call-examples.ts";
import { type Answer, type Call, exampleAt } from "./openapi.ts";
import { fieldList, parameterList } from "./schema-rows.ts";
import { type TryOptions, tryForm } from "./try-call.ts";

/** @param server where the page's own server is, without a trailing slash */
export function callSection(call: Call, server: string, options: TryOptions): HTMLElement {
  const { operationId: id, methods, path, summary = "", security = [], parameters = [] } = call;
  const section = element(
    "section",
    { id, class: "call", "aria-labelledby": `${id}-title` },
    element("h3", { id: `${id}-title` }, ...withCode(summary)),
    element(
      "p",
      { class: "call-line" },
      element("span", { class: "method" }, methods.join(", ")),
      element("code", {}, path),
      " ",
      link(id),
    ),
  );
  if (methods.length > 1) section.append(element("p", { class: "faint" }, "Both methods do the same."));
  if (security.length > 0) section.append(element("p", { class: "faint" }, "Needs an API key."));
  if (parameters.length > 0) section.append(element("h4", {}, "Parameters"), parameterList(parameters));
  for (const [type, { schema }] of Object.entries(call.requestBody?.content ?? {})) {
    const list = schema && fieldList(schema);
    if (list === undefined) continue;
    section.append(element("h4", {}, "Body, ", element("code", {}, type)), list);
  }
  section.append(element("h4", {}, "Request"), codeTabs(snippetsOf(call, server), `${id}-code`));
  section.append(tryForm(call, server, options));
  section.append(element("h4", {}, "Answers"));
  for (const [status, answer] of Object.entries(call.responses))
    section.append(answerOf(status, answer, server));
  return section;
}

function link(id: string): HTMLElement {
  return element("a", { class: "anchor", href: `#${id}`, "aria-label": "Link to this call" }, "#");
}

function answerOf(
  status: string,
  { description = "", headers = {}, content = {} }: Answer,
  server: string,
): HTMLElement {
  const text = description === "Default Response" ? "" : description;
  const box = element(
    "details",
    { class: "answer", open: status === "200" },
    element("summary", {}, element("strong", {}, status), " ", ...withCode(text)),
  );
  for (const [name, header] of Object.entries(headers)) {
    box.append(
      element("p", { class: "faint" }, "Header ", element("code", {}, name), ` ${header.description ?? ""}`),
    );
  }
  const types = Object.keys(content);
  if (types.length > 0 && !types.includes("application/json"))
    box.append(element("p", { class: "faint" }, `Sent as ${types.join(", ")}.`));
  for (const { schema, example } of Object.values(content)) {
    if (example !== undefined) box.append(block(exampleAt(example, server), `Example of ${status}`));
    const list = schema && fieldList(schema);
    if (list) box.append(list);
  }
  return box;
}

/** An example as text that can be scrolled by keyboard. */
function block(example: unknown, label: string): HTMLElement {
  const text = typeof example === "string" ? example : JSON.stringify(example, null, 2);
  return element(
    "pre",
    { class: "example", tabindex: 0, role: "group", "aria-label": label },
    element("code", {}, text),
  );
}
