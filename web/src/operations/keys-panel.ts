/** The keys of all clients: makes one, shows it the only time that it can be seen, and revokes any but one's own. */
import { copyTextOf } from "../clipboard.ts";
import { element } from "../dom.ts";
import type { CreatedKey, KeyRow, KeysReply, OperatorApi } from "./api.ts";
import { drawKeys } from "./lists.ts";

export interface KeysPanel {
  root: HTMLElement;
  draw(reply: KeysReply): void;
  /** Forgets what nobody else may see: a key that was just made. */
  clear(): void;
}

export interface KeysPanelOptions {
  api: Pick<OperatorApi, "createKey" | "revokeKey">;
  /** Called after a change. */
  onChange: () => void;
}

export function createKeysPanel({ api, onChange }: KeysPanelOptions): KeysPanel {
  const name = element("input", {
    id: "key-name",
    type: "text",
    maxlength: 100,
    required: true,
    autocomplete: "off",
  });
  const threshold = element("input", {
    id: "key-threshold",
    type: "number",
    min: 0,
    max: 1,
    step: "any",
    placeholder: "as set",
  });
  const create = element("button", { type: "submit", class: "primary" }, "Create key");
  const problem = element("p", { class: "error", role: "alert" });
  const made = element("div", { class: "operations-part", role: "status" });
  const list = element("div", { class: "operations-part" });
  const form = element(
    "form",
    { class: "filters", "aria-label": "New key" },
    element("label", { class: "field", for: "key-name" }, "Name"),
    name,
    element("label", { class: "field", for: "key-threshold" }, "Flag results from"),
    threshold,
    create,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });

  async function submit(): Promise<void> {
    if (create.disabled) return;
    create.disabled = true;
    problem.textContent = "";
    try {
      const given = threshold.value.trim();
      const key = await api.createKey({
        name: name.value.trim(),
        ...(given !== "" && { safetyThreshold: Number(given) }),
      });
      form.reset();
      made.replaceChildren(...drawMade(key, () => made.replaceChildren()));
      made.querySelector<HTMLElement>("button")?.focus();
      onChange();
    } catch (error) {
      problem.textContent = (error as Error).message;
    } finally {
      create.disabled = false;
    }
  }

  async function revoke(key: KeyRow): Promise<void> {
    problem.textContent = "";
    try {
      await api.revokeKey(key.id);
    } catch (error) {
      problem.textContent = (error as Error).message;
    }
    onChange();
  }

  return {
    root: element("div", { class: "operations-part" }, form, problem, made, list),
    draw(reply) {
      // A question is not drawn over while somebody reads it.
      if (list.querySelector(ASKING) !== null) return;
      list.replaceChildren(...drawKeys(reply, (key) => revokeButton(key, { revoke, onKept: onChange })));
    },
    clear() {
      made.replaceChildren();
      list.replaceChildren();
      problem.textContent = "";
    },
  };
}

/** A key that was made, with its secret, until it is put away. */
function drawMade({ name, key, webhookSecret }: CreatedKey, putAway: () => void): HTMLElement[] {
  const row = (label: string, value: string): HTMLElement => {
    const code = element("code", {}, value);
    const copy = element("button", { type: "button" }, "Copy");
    copy.setAttribute("aria-label", `Copy the ${label.toLowerCase()}`);
    copy.addEventListener("click", () => {
      void copyTextOf(code).then((isCopied) => (copy.textContent = isCopied ? "Copied" : "Press Ctrl+C"));
    });
    return element("p", { class: "made-key" }, element("span", {}, label), code, copy);
  };
  const done = element("button", { type: "button" }, "Done");
  done.addEventListener("click", putAway);
  return [
    element("p", {}, element("strong", {}, `${name} has a key. Copy it now: it is not shown again.`)),
    row("Key", key),
    row("Webhook secret", webhookSecret),
    element("div", { class: "actions" }, done),
  ];
}

/** A question whether a key is to be revoked, which waits for its answer. */
const ASKING = ".actions .primary:enabled";

/** Revokes at the second press: the first one asks. */
function revokeButton(
  key: KeyRow,
  { revoke, onKept }: { revoke: (key: KeyRow) => Promise<void>; onKept: () => void },
): HTMLElement {
  const cell = element("div", { class: "actions" });
  const ask = element("button", { type: "button", class: "link" }, "Revoke");
  ask.setAttribute("aria-label", `Revoke ${key.name}`);
  const confirm = element("button", { type: "button", class: "primary" }, "Revoke for good");
  confirm.setAttribute("aria-label", `Revoke for good: ${key.name}`);
  const keep = element("button", { type: "button" }, "Keep");
  ask.addEventListener("click", () => {
    cell.replaceChildren(confirm, keep);
    keep.focus();
  });
  keep.addEventListener("click", () => {
    cell.replaceChildren(ask);
    ask.focus();
    onKept();
  });
  confirm.addEventListener("click", () => {
    confirm.disabled = keep.disabled = true;
    void revoke(key);
  });
  cell.append(ask);
  return cell;
}
