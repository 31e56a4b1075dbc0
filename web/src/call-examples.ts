/** A call of the document as code, with the document's examples filled in. */
import { callSnippets } from "./call-snippets.ts";
import { type Call, exampleAt } from "./openapi.ts";

/**
 * Each language's name and code.
 * @param server without a trailing slash
 */
export function snippetsOf(call: Call, server: string): Record<string, string> {
  const { parameters = [], requestBody, responses, security = [] } = call;
  const value = (name: string): string => parameters.find((one) => one.name === name)?.example ?? "";
  const path = call.path.replaceAll(/\{([^{}]+)\}/g, (_, name: string) => encodeURIComponent(value(name)));
  const query = new URLSearchParams(
    parameters
      .filter((one) => one.in === "query" && one.required)
      .map(({ name }): [string, string] => [name, value(name)]),
  ).toString();
  const form = requestBody?.content["multipart/form-data"]?.example as Record<string, unknown> | undefined;
  const body = exampleAt(requestBody?.content["application/json"]?.example, server);
  return callSnippets({
    method: call.methods[0]!,
    url: `${server}${path}${query && `?${query}`}`,
    needsKey: security.length > 0,
    headers: {},
    ...(body !== undefined && { body }),
    ...(form && { form }),
    isImage: Object.keys(responses["200"]?.content ?? {}).some((type) => type.startsWith("image/")),
  });
}
