/** A row of tabs of which one is chosen, by mouse or by the arrow keys. What they show is the caller's. */
import { button, element } from "./dom.ts";

export interface Tabs {
  list: HTMLElement;
  /** In the order of the names. */
  buttons: readonly HTMLButtonElement[];
  choose(index: number): void;
}

/** @param options.controls id of the panel; @param options.onChoose called with every choice */
export function createTabs(
  names: readonly string[],
  { label, controls, onChoose }: { label: string; controls: string; onChoose: (index: number) => void },
): Tabs {
  const buttons = names.map((name, index) => {
    const tab = button(name, () => choose(index), "tab");
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", controls);
    tab.addEventListener("keydown", ({ key }) => {
      const step = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
      if (step === 0) return;
      const next = (index + step + buttons.length) % buttons.length;
      choose(next);
      buttons[next]!.focus();
    });
    return tab;
  });
  function choose(index: number): void {
    for (const [place, tab] of buttons.entries()) {
      tab.setAttribute("aria-selected", String(place === index));
      tab.tabIndex = place === index ? 0 : -1;
    }
    onChoose(index);
  }
  return { list: element("div", { role: "tablist", "aria-label": label }, ...buttons), buttons, choose };
}
