/** Code that works when pasted: tabs, one language each. */
import { copyTextOf } from "./clipboard.ts";
import { button, element } from "./dom.ts";

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
  const tabs = texts.map(([name, snippet], index) => {
    const tab = button(name, () => choose(index), "tab");
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", id);
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
