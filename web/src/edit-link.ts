/** The page's own address names the edit on the stage, and its title says how far it is: `#edit=ID`. */
import { find } from "./dom.ts";

const LINK = /^#edit=([\w-]{1,100})$/;
const NAME = document.title;

/** The edit that the address names, which only this browser's history knows. */
export const linkedEdit = (): string | undefined => LINK.exec(location.hash)?.[1];

/** Makes it the edit of the page's address, unless another page is shown. */
export function linkTo(id: string): void {
  if (find("page-edit").hidden) return;
  // No new entry: going back leads to the previous page, not to the previous edit.
  history.replaceState(history.state, "", `#edit=${id}`);
}

/** @param progress such as `3 of 28`; undefined when nothing runs */
export function titleOf(progress: string | undefined): void {
  document.title = progress === undefined ? NAME : `${progress} · ${NAME}`;
}
