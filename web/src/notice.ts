/** A sentence above the page that stays until it is dismissed. */
import { button, element, find } from "./dom.ts";

/** Shows `sentence` instead of the previous one. */
export function giveNotice(sentence: string): void {
  const notice = find("notice");
  const close = button("Close", () => {
    notice.hidden = true;
    notice.replaceChildren();
  });
  notice.replaceChildren(element("p", {}, sentence), close);
  notice.hidden = false;
}
