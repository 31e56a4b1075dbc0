/** Code that works when pasted: tabs, one language each. */
import { copyTextOf } from "./clipboard.ts";
import { button, element } from "./dom.ts";
import { createTabs } from "./tabs.ts";

const COPIED_MS = 1500;
const NOT_COPIED =
  "This browser does not allow copying from a page. The code is selected: copy it with Ctrl+C or ⌘C.";

/**
 * Tabs for snippets, one shown at a time, with a button that copies it.
 * @param snippets each language's name and code
 * @param id of the panel, unique on the page
 */
export function codeTabs(snippets: Readonly<Record<string, string>>, id: string): HTMLElement {
  const texts = Object.entries(snippets);
  const text = element("code", {});
  const panel = element("pre", { id, role: "tabpanel", tabindex: 0 }, text);
  const tabs = createTabs(
    texts.map(([name]) => name),
    {
      label: "Language",
      controls: id,
      onChoose(index) {
        const [name, snippet] = texts[index]!;
        text.textContent = snippet;
        failure.textContent = "";
        panel.setAttribute("aria-label", name);
      },
    },
  );
  for (const [index, tab] of tabs.buttons.entries()) tab.dataset["snippet"] = texts[index]![1];
  const copy = button("Copy", () => {
    void copyTextOf(text).then((isCopied) => {
      failure.textContent = isCopied ? "" : NOT_COPIED;
      if (!isCopied) return;
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), COPIED_MS);
    });
  });
  const failure = element("p", { class: "faint note", role: "status" });
  tabs.choose(0);
  return element(
    "div",
    { class: "code" },
    element("div", { class: "tabs" }, tabs.list, copy),
    failure,
    panel,
  );
}
