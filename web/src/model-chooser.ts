/** Which of the server's models edits: each has its own endpoint, ranges and defaults, so the page is loaded anew. */
import { element, find } from "./dom.ts";
import type { ServerSchema } from "./schema.ts";

const PARAMETER = "model";

/** Path of the endpoint that the page's address asks for. */
export const wantedEndpoint = (): string =>
  `/v2/${new URLSearchParams(location.search).get(PARAMETER) ?? ""}`;

/**
 * Shows the choice where there is one.
 * @param keep keeps the form for the page that comes
 */
export function showModels({ models, endpoint }: ServerSchema, keep: () => Promise<void>): void {
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
      location.search = new URLSearchParams({ [PARAMETER]: chooser.value }).toString();
    });
  });
  find("model-field").hidden = false;
}
