/** The API key: from the address once, then in this browser only. */
import { find } from "./dom.ts";

const NAME = "retouch.key";

export interface KeyHolder {
  get(): string;
  /** Asks for one. @param problem why the present one does not do */
  ask(problem?: string): void;
}

/** @param onChange called when there is another key than before */
export function createKeyHolder(onChange: () => void): KeyHolder {
  const dialog = find<HTMLDialogElement>("key-dialog");
  const field = find<HTMLInputElement>("key");
  const problems = find("key-error");
  const fromAddress = /^#key=([^&]+)/.exec(location.hash)?.[1];
  if (fromAddress !== undefined) {
    localStorage.setItem(NAME, decodeURIComponent(fromAddress));
    // Not in the history of the browser, nor on a screenshot.
    history.replaceState(null, "", `${location.pathname}#edit`);
  }
  const get = (): string => localStorage.getItem(NAME) ?? "";

  find("key-form").addEventListener("submit", (event) => {
    const key = field.value.trim();
    if (key === "") {
      event.preventDefault();
      problems.textContent = "Paste a key first.";
      return;
    }
    localStorage.setItem(NAME, key);
    field.value = "";
    onChange();
  });
  find("forget-key").addEventListener("click", () => {
    localStorage.removeItem(NAME);
    field.value = "";
    dialog.close();
    onChange();
  });
  find("change-key").addEventListener("click", () => holder.ask());

  const holder: KeyHolder = {
    get,
    ask(problem = "") {
      problems.textContent = problem;
      if (!dialog.open) dialog.showModal();
      field.focus();
    },
  };
  return holder;
}
