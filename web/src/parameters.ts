/** The parameters of an edit: one row each, with the server's range and default, checked before sending. */
import type { EditInput } from "./api.ts";
import { element, find } from "./dom.ts";
import { createLoraRows } from "./lora-rows.ts";
import { numberProblem, type ServerSchema } from "./schema.ts";

export type Parameters = Omit<EditInput, "prompt" | "image" | "enable_preview">;

export interface ParameterForm {
  /** The values, or undefined if one is invalid: its message is shown beside it, and it has the focus. */
  read(): Parameters | undefined;
  write(values: Partial<Parameters>): void;
  /** Whether images are shown as they form. */
  wantsPreview(): boolean;
  /** Width and height that `size` currently stands for. */
  size(): { width: number; height: number };
  /** Sets the shape of the source, which "as the image" follows; without one, that is the server's default size. */
  setSource(source: { width: number; height: number } | undefined): void;
  /** Sets the LoRAs that the server has. */
  setLoras(names: readonly string[]): void;
  onChange(listener: () => void): void;
}

interface NumberField {
  name: "num_inference_steps" | "guidance" | "true_cfg_scale";
  label: string;
  hint: string;
  step: number;
}

const NUMBERS: readonly NumberField[] = [
  { name: "num_inference_steps", label: "Steps", hint: "More steps, more detail, more time.", step: 1 },
  { name: "guidance", label: "Guidance", hint: "How closely the instruction is followed.", step: 0.1 },
  {
    name: "true_cfg_scale",
    label: "Strength of the negative",
    hint: "Counts only with a negative instruction.",
    step: 0.1,
  },
];
const SHAPES = ["1024*1024", "1152*896", "896*1152", "1344*768", "768*1344"];
/** The server's names for the formats; it also accepts `jpg`, which means the same. */
const FORMATS = ["png", "jpeg"];
const AS_PICTURE = "as the image";
const CUSTOM = "custom";
const SIZE = /^\s*(\d{1,5})\s*[*x×]\s*(\d{1,5})\s*$/i;

/** Builds the rows into the page. */
export function createParameterForm({ fields, sides }: ServerSchema): ParameterForm {
  const box = find("parameters");
  const controls = new Map<string, HTMLInputElement | HTMLSelectElement>();
  const listeners: (() => void)[] = [];
  const changed = (): void => listeners.forEach((listener) => listener());
  const [, width, height] = SIZE.exec(String(fields["size"]!.default)) ?? [];
  const usual = { width: Number(width), height: Number(height) };
  let source = usual;

  function row(
    name: string,
    label: string,
    control: HTMLInputElement | HTMLSelectElement,
    hint: string,
  ): HTMLElement {
    control.id = `p-${name}`;
    control.setAttribute("aria-describedby", `p-${name}-hint p-${name}-error`);
    controls.set(name, control);
    control.addEventListener("input", changed);
    return element(
      "div",
      { class: "row" },
      element("label", { for: control.id }, label),
      control,
      element("p", { id: `p-${name}-hint`, class: "faint hint" }, hint),
      element("p", { id: `p-${name}-error`, class: "error" }),
    );
  }

  const sizes = element(
    "select",
    {},
    ...[AS_PICTURE, ...SHAPES, CUSTOM].map((text) =>
      element("option", { value: text }, text.replace("*", " × ")),
    ),
  );
  const custom = element("input", { type: "text", placeholder: "1024*1024", spellcheck: false });
  const customRow = row("custom", "Width × height", custom, `Each from ${sides.min} to ${sides.max}.`);
  customRow.hidden = true;
  sizes.addEventListener("input", () => (customRow.hidden = sizes.value !== CUSTOM));
  box.append(
    row("size", "Size", sizes, `The result has exactly this size, ${sides.min} to ${sides.max} a side.`),
    customRow,
  );

  for (const { name, label, hint, step } of NUMBERS) {
    const { minimum, maximum, default: value } = fields[name]!;
    const input = element("input", {
      type: "number",
      min: minimum,
      max: maximum,
      step,
      value: String(value),
      inputmode: "decimal",
    });
    box.append(row(name, label, input, `${minimum} to ${maximum}, ${String(value)} by default. ${hint}`));
  }
  const seedField = fields["seed"]!;
  const seed = element("input", {
    type: "number",
    min: seedField.minimum,
    step: 1,
    value: String(seedField.default),
  });
  box.append(row("seed", "Seed", seed, "−1 chooses a new one each time; the same seed repeats an edit."));
  const negative = element("input", { type: "text", maxlength: fields["negative_prompt"]!.maxLength });
  box.append(
    row(
      "negative_prompt",
      "Negative instruction",
      negative,
      "What to steer away from; takes twice the time.",
    ),
  );
  const format = element(
    "select",
    {},
    ...FORMATS.map((value) => element("option", { value }, value.toUpperCase())),
  );
  format.value = String(fields["output_format"]!.default);
  box.append(row("output_format", "Format", format, "PNG keeps every pixel, JPEG is smaller."));
  const { maxItems, items } = fields["loras"]!;
  const loraRows = createLoraRows(box, { max: maxItems!, range: items!.properties!["scale"]! }, changed);
  const check = (name: string, label: string, hint: string, isOn: boolean): HTMLInputElement => {
    const input = element("input", { type: "checkbox", checked: isOn });
    const made = row(name, label, input, hint);
    made.classList.add("check");
    box.append(made);
    return input;
  };
  const emptyNegative = check(
    "use_empty_negative_prompt",
    "Steer away from no instruction",
    "Counts where there is no negative instruction; takes twice the time.",
    false,
  );
  const keep = check(
    "keep_unchanged",
    "Keep what was not edited",
    "Unchanged parts come from your own image, in full sharpness.",
    true,
  );
  const safety = check(
    "enable_safety_checker",
    "Safety checker",
    "Refuses results that look pornographic.",
    fields["enable_safety_checker"]!.default === true,
  );
  const preview = check("preview", "Show the image as it forms", "Costs next to no time.", true);

  function size(): { width: number; height: number } {
    if (sizes.value === AS_PICTURE) return likePicture(source, sides);
    const [, width, height] = SIZE.exec(sizes.value === CUSTOM ? custom.value : sizes.value) ?? [];
    return { width: Number(width ?? Number.NaN), height: Number(height ?? Number.NaN) };
  }

  /** @returns whether everything is in range */
  function validate(): boolean {
    const problems = new Map<string, string>();
    const { width, height } = size();
    if (![width, height].every((side) => side >= sides.min && side <= sides.max)) {
      problems.set(
        sizes.value === CUSTOM ? "custom" : "size",
        `Width and height, each from ${sides.min} to ${sides.max}, such as 1024*768.`,
      );
    }
    for (const { name } of NUMBERS) {
      const problem = numberProblem(controls.get(name)!.value, fields[name]!);
      if (problem) problems.set(name, problem);
    }
    const seedProblem = numberProblem(seed.value, seedField);
    if (seedProblem) problems.set("seed", seedProblem);
    for (const [name, control] of controls) {
      find(`p-${name}-error`).textContent = problems.get(name) ?? "";
      control.setAttribute("aria-invalid", String(problems.has(name)));
    }
    const [first] = problems.keys();
    if (first === undefined) return true;
    controls.get(first)!.focus();
    return false;
  }

  const number = (name: string): number => Number(controls.get(name)!.value);
  return {
    read() {
      const loras = loraRows.read();
      if (!validate() || loras === undefined) {
        find<HTMLDetailsElement>("settings").open = true;
        return undefined;
      }
      const { width, height } = size();
      return {
        size: `${width}*${height}`,
        num_inference_steps: number("num_inference_steps"),
        guidance: number("guidance"),
        true_cfg_scale: number("true_cfg_scale"),
        seed: number("seed"),
        negative_prompt: negative.value,
        ...(emptyNegative.checked && { use_empty_negative_prompt: true }),
        output_format: format.value as "png" | "jpeg",
        keep_unchanged: keep.checked,
        enable_safety_checker: safety.checked,
        ...(loras.length > 0 && { loras }),
      };
    },
    write({ loras, ...values }) {
      if (loras) loraRows.write(loras);
      // Left out of requests that do not have it.
      if (values.negative_prompt !== undefined) emptyNegative.checked = false;
      for (const [name, value] of Object.entries(values)) {
        const control = controls.get(name);
        if (name === "size") writeSize(String(value));
        else if (control instanceof HTMLInputElement && control.type === "checkbox")
          control.checked = value === true;
        else if (control) control.value = String(value);
      }
      changed();
    },
    wantsPreview: () => preview.checked,
    size,
    setSource(next = usual) {
      source = next;
      changed();
    },
    setLoras: loraRows.setNames,
    onChange: (listener) => void listeners.push(listener),
  };

  function writeSize(value: string): void {
    const { width, height } = likePicture(source, sides);
    if (value === `${width}*${height}`) sizes.value = AS_PICTURE;
    else if (SHAPES.includes(value)) sizes.value = value;
    else {
      sizes.value = CUSTOM;
      custom.value = value;
    }
    customRow.hidden = sizes.value !== CUSTOM;
  }
}

/**
 * The shape of the image, at its own size if the server supports that; a side ratio above 6 to 1 is clamped
 * into range.
 */
function likePicture(
  picture: { width: number; height: number },
  { min, max }: ServerSchema["sides"],
): { width: number; height: number } {
  const { width, height } = picture;
  const scale = Math.min(max / Math.max(width, height), Math.max(1, min / Math.min(width, height)));
  const side = (length: number): number => Math.min(max, Math.max(min, Math.round(length * scale)));
  return { width: side(width), height: side(height) };
}
