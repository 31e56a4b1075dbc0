/** Which LoRAs an edit uses and how strongly, one row each; the next appears once the previous is filled. */
import type { LoraUse } from "./api.ts";
import { element } from "./dom.ts";
import { type FieldSchema, numberProblem } from "./schema.ts";

export interface LoraRows {
  /** Undefined if a strength is invalid: its message is shown beside it, and it has the focus. */
  read(): LoraUse[] | undefined;
  write(loras: readonly LoraUse[]): void;
  /** Sets the LoRAs that the server has. Without any, there are no rows. */
  setNames(names: readonly string[]): void;
}

interface Row {
  box: HTMLElement;
  name: HTMLSelectElement;
  scale: HTMLInputElement;
  error: HTMLElement;
}

const NONE = "";
const AS_TRAINED = "1";

/** Builds the rows into `box`. */
export function createLoraRows(
  box: HTMLElement,
  { max, range }: { max: number; range: FieldSchema },
  onChange: () => void,
): LoraRows {
  let names: readonly string[] = [];
  const rows = Array.from({ length: max }, (_, index) => createRow(index + 1));
  box.append(...rows.map((row) => row.box));
  offer();

  function createRow(number: number): Row {
    const label = `LoRA ${number}`;
    const id = `p-lora-${number}`;
    const described = { "aria-describedby": `${id}-hint ${id}-error` };
    const name = element("select", { id, ...described });
    const scale = element("input", {
      id: `${id}-scale`,
      type: "number",
      ...described,
      "aria-label": `Strength of ${label}`,
      min: range.minimum,
      max: range.maximum,
      step: 0.1,
      value: AS_TRAINED,
      inputmode: "decimal",
    });
    const error = element("p", { id: `${id}-error`, class: "error" });
    const hint = `Strength ${range.minimum} to ${range.maximum}; 1 applies it as trained.`;
    for (const control of [name, scale]) {
      control.addEventListener("input", () => {
        reveal();
        onChange();
      });
    }
    return {
      box: element(
        "div",
        { class: "row" },
        element("label", { for: id }, label),
        element("div", { class: "lora" }, name, scale),
        element("p", { id: `${id}-hint`, class: "faint hint" }, hint),
        error,
      ),
      name,
      scale,
      error,
    };
  }

  /** Updates the choices but keeps the chosen one: a history may have a LoRA that the server has lost. */
  function offer(): void {
    for (const { name } of rows) {
      const chosen = name.value;
      const known = chosen === NONE || names.includes(chosen) ? names : [...names, chosen];
      name.replaceChildren(
        element("option", { value: NONE }, "none"),
        ...known.map((text) => element("option", { value: text }, text)),
      );
      name.value = chosen;
    }
    reveal();
  }

  function reveal(): void {
    for (const [index, row] of rows.entries()) {
      const isNext = index === 0 ? names.length > 0 : rows[index - 1]!.name.value !== NONE;
      row.box.hidden = row.name.value === NONE && !isNext;
      row.scale.disabled = row.name.value === NONE;
    }
  }

  return {
    read() {
      const used = rows.filter(({ name }) => name.value !== NONE);
      for (const { scale, error } of rows) {
        const problem = scale.disabled ? undefined : numberProblem(scale.value, range);
        error.textContent = problem ?? "";
        scale.setAttribute("aria-invalid", String(problem !== undefined));
      }
      const wrong = used.find(({ error }) => error.textContent !== "");
      if (wrong === undefined)
        return used.map(({ name, scale }) => ({ name: name.value, scale: Number(scale.value) }));
      wrong.scale.focus();
      return undefined;
    },
    write(loras) {
      for (const [index, row] of rows.entries()) {
        const { name, scale } = loras[index] ?? { name: NONE, scale: 1 };
        if (!Array.from(row.name.options, ({ value }) => value).includes(name)) {
          row.name.append(element("option", { value: name }, name));
        }
        row.name.value = name;
        row.scale.value = String(scale);
      }
      reveal();
    },
    setNames(next) {
      // An open list of choices stays open.
      if (JSON.stringify(next) === JSON.stringify(names)) return;
      names = next;
      offer();
    },
  };
}
