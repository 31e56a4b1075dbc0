/** The request that was just made, as code. */
import { codeTabs as tabsOf } from "./code-tabs.ts";
import { type CodeRequest, snippets } from "./snippets.ts";

export const codeTabs = (request: CodeRequest): HTMLElement => tabsOf(snippets(request), "code-panel");
