/** Sentences with Markdown's code marks, as nodes: the text is inserted as text, whatever it holds. */
import { element } from "./dom.ts";

/** What is between two backticks becomes a `code` element; a backtick without a partner stays. */
export function withCode(text: string): (Node | string)[] {
  const parts = text.split("`");
  // An even number of parts is an odd number of marks: the last one opens nothing.
  if (parts.length % 2 === 0) parts.push(`${parts.splice(-2).join("`")}`);
  return parts.flatMap((part, index) => {
    if (part === "") return [];
    return [index % 2 === 1 ? element("code", {}, part) : part];
  });
}
