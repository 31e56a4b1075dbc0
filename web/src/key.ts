/** The API key: from a link or the dialog that asks for it, then in this browser only. */
import { find } from "./dom.ts";
import { createKeyLink } from "./key-link.ts";
import { readKey, writeKey } from "./key-store.ts";
import { keyProblem } from "./key-text.ts";

export interface KeyHolder {
  get(): string;
  /** Asks for a key. @param problem why the current one does not work */
  ask(problem?: string): void;
  /** Calls `listener` when the key may have changed. */
  onChange(listener: () => void): void;
}

export function createKeyHolder(): KeyHolder {
  const dialog = find<HTMLDialogElement>("key-dialog");
  const field = find<HTMLInputElement>("key");
  const problems = find("key-error");
  const listeners: (() => void)[] = [];
  const changed = (): void => listeners.forEach((listener) => listener());
  const link = createKeyLink({
    onTaken() {
      dialog.close();
      changed();
    },
    onQuestion: () => dialog.close(),
    // Listeners that needed a key meanwhile ask again.
    onKept: changed,
  });

  find("key-form").addEventListener("submit", (event) => {
    const key = field.value.trim();
    const problem = keyProblem(key);
    if (problem !== undefined) {
      event.preventDefault();
      problems.textContent = problem;
      return;
    }
    writeKey(key);
    field.value = "";
    changed();
  });
  find("forget-key").addEventListener("click", () => {
    writeKey(undefined);
    field.value = "";
    dialog.close();
    changed();
  });
  find("change-key").addEventListener("click", () => holder.ask());
  addEventListener("hashchange", () => link.read());
  link.read();

  const holder: KeyHolder = {
    get: readKey,
    ask(problem = "") {
      // One question at a time.
      if (link.isAsking()) return;
      problems.textContent = problem;
      if (!dialog.open) dialog.showModal();
      field.focus();
    },
    onChange: (listener) => void listeners.push(listener),
  };
  return holder;
}
