/** A link with an API key, which is taken if there is none yet, and confirmed if it would replace one. */
import { find } from "./dom.ts";
import { readKey, writeKey } from "./key-store.ts";
import { beginningOf, keyInFragment } from "./key-text.ts";
import { giveNotice } from "./notice.ts";

export interface KeyLinkOptions {
  /** Called when the link's key was taken. */
  onTaken: () => void;
  /** Called before the question appears. */
  onQuestion: () => void;
  /** Called when the current key stays. */
  onKept: () => void;
}

export interface KeyLink {
  /** Reads the page's URL and removes the key from it. */
  read(): void;
  /** Whether the question is on the page. Until it is answered, the current key counts. */
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
    // The Escape key leaves the return value unchanged.
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
      // Keeps the key out of the browser's history and of screenshots.
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
