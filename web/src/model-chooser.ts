/** Which of the server's models edits: each has its own endpoint, ranges and defaults, so the page is loaded anew. */
import { element, find } from "./dom.ts";
import type { ServerSchema } from "./schema.ts";

const PARAMETER = "model";
/** What was written before the page was loaded anew. */
const PROMPT = "retouch-prompt";

/** Path of the endpoint that the page's address asks for. */
export const wantedEndpoint = (): string =>
  `/v2/${new URLSearchParams(location.search).get(PARAMETER) ?? ""}`;

/**
 * Shows the choice where there is one.
 * @param keep keeps the chosen images for the page that comes
 */
export function showModels({ models, endpoint }: ServerSchema, keep: () => Promise<void>): void {
  const prompt = find<HTMLTextAreaElement>("prompt");
  prompt.value ||= sessionStorage.getItem(PROMPT) ?? "";
  sessionStorage.removeItem(PROMPT);
  if (models.length < 2) return;
  const chooser = find<HTMLSelectElement>("model");
  chooser.append(
    ...models.map((model) => {
      const name = model.endpoint.replace("/v2/", "");
      const steps = model.numSteps === 1 ? "1 step" : `${model.numSteps} steps`;
      return element("option", { value: name }, `${name} (${steps})`);
    }),
  );
  chooser.value = endpoint.replace("/v2/", "");
  chooser.addEventListener("change", () => {
    void keep().then(() => {
      sessionStorage.setItem(PROMPT, prompt.value);
      location.search = new URLSearchParams({ [PARAMETER]: chooser.value }).toString();
    });
  });
  find("model-field").hidden = false;
}
