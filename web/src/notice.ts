/** A sentence above the page that stays until somebody has read it. */
import { button, element, find } from "./dom.ts";

/** Shows `sentence` in the place of the one before. */
export function giveNotice(sentence: string): void {
  const notice = find("notice");
  const close = button("Close", () => {
    notice.hidden = true;
    notice.replaceChildren();
  });
  notice.replaceChildren(element("p", {}, sentence), close);
  notice.hidden = false;
}
