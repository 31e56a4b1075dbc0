/** A link with an API key: taken where there is none yet, and asked about where it would replace another one. */
import { find } from "./dom.ts";
import { readKey, writeKey } from "./key-store.ts";
import { beginningOf, keyInFragment } from "./key-text.ts";
import { giveNotice } from "./notice.ts";

export interface KeyLinkOptions {
  /** Called when the link's key was taken. */
  onTaken: () => void;
  /** Called before the question appears. */
  onQuestion: () => void;
  /** Called when the present key stays. */
  onKept: () => void;
}

export interface KeyLink {
  /** Looks at the address, which has no key any more afterwards. */
  read(): void;
  /** Whether the question stands on the page. Until it is answered, the present key counts. */
  isAsking(): boolean;
}

const REPLACE = "replace";

export function createKeyLink({ onTaken, onQuestion, onKept }: KeyLinkOptions): KeyLink {
  const dialog = find<HTMLDialogElement>("link-dialog");
  let offered = "";

  function ask(key: string): void {
    offered = key;
    find("kept-key").textContent = beginningOf(readKey());
    find("offered-key").textContent = beginningOf(key);
    onQuestion();
    if (dialog.open) return;
    // The Escape key leaves the value as it was.
    dialog.returnValue = "";
    dialog.showModal();
  }

  dialog.addEventListener("close", () => {
    const isTaken = dialog.returnValue === REPLACE && offered !== "";
    if (isTaken) writeKey(offered);
    offered = "";
    (isTaken ? onTaken : onKept)();
  });

  return {
    isAsking: () => dialog.open,
    read() {
      const key = keyInFragment(location.hash);
      if (key === undefined) return;
      // Not in the history of the browser, nor on a screenshot.
      history.replaceState(null, "", `${location.pathname}${location.search}#edit`);
      const present = readKey();
      if (key === "") giveNotice("The API key in the link was ignored: it is not a valid key.");
      else if (present === "") {
        writeKey(key);
        onTaken();
      } else if (key !== present) ask(key);
      else if (dialog.open) dialog.close();
    },
  };
}
