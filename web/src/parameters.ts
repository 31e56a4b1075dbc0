/** The parameters of an edit: one row each, with the server's range and default, checked before sending. */
import type { EditInput, EstimateOf } from "./api.ts";
import { element, find } from "./dom.ts";
import { type FormSnapshot, restore, snapshotOf } from "./form-snapshot.ts";
import { createLoraRows } from "./lora-rows.ts";
import {
  type Choices,
  FORMATS,
  KEEPS,
  LAYOUTS,
  type NumberName,
  NUMBERS,
  ONE_IMAGE,
  SLIDERS,
  SPEEDS,
} from "./parameter-fields.ts";
import { numberProblem, type ServerSchema } from "./schema.ts";
import { createSizeField, type Size } from "./size-field.ts";
import { type Slider, withSlider } from "./slider.ts";

export type Parameters = Omit<EditInput, "prompt" | "image" | "mask" | "enable_preview">;

export interface ParameterForm {
  /** The values, or undefined if one is invalid: its message is shown beside it, and it has the focus. */
  read(): Parameters | undefined;
  write(values: Partial<Parameters>): void;
  /** Whether images are shown as they form. */
  wantsPreview(): boolean;
  /** Width and height that `size` currently stands for. */
  size(): Size;
  /** Sets the shape of the source, which "as the image" follows; without one, that is the server's default size. */
  setSource(source: Size | undefined): void;
  /** How many images an edit may have, by what was chosen. */
  maxImages(): number;
  /** What the time depends on; of what was typed wrongly, the default. */
  work(): Work;
  passes(): Pick<EstimateOf, "guidance" | "isNegativeUsed">;
  /** Shows what the values cost beside them. */
  showTimes(times: Times | undefined): void;
  /** What was typed and chosen, valid or not, and back. */
  snapshot(): FormSnapshot;
  restore(snapshot: FormSnapshot): void;
  /** Shows or hides what counts with a mask alone. */
  setMasked(isMasked: boolean): void;
  /** Sets the LoRAs that the server has. */
  setLoras(names: readonly string[]): void;
  onChange(listener: () => void): void;
}

export interface Work {
  /** Of one result, before `strength` leaves some out. */
  steps: number;
  skipped: number;
  results: number;
}

/** Sentences about the edit as a whole, about one step, and about what is left out. */
export type Times = Record<"all" | "step" | "skipped", string>;

const MASKED = ["strength", "mask_feather"] as const;

/** Builds the rows into the page. */
export function createParameterForm(schema: ServerSchema): ParameterForm {
  const { fields, images, sides } = schema;
  const box = find("parameters");
  const controls = new Map<string, HTMLInputElement | HTMLSelectElement>();
  const rows = new Map<string, HTMLElement>();
  const sliders = new Map<NumberName, Slider>();
  const listeners: (() => void)[] = [];
  const changed = (): void => listeners.forEach((listener) => listener());
  const sizes = createSizeField(schema);
  let group = box;

  /** The rows that follow belong together. */
  function beginGroup(name: string): void {
    group = element("fieldset", { class: "group" }, element("legend", {}, name));
    box.append(group);
  }

  function row(
    name: string,
    label: string,
    control: HTMLInputElement | HTMLSelectElement,
    hint: string,
    shown: HTMLElement = control,
  ): HTMLElement {
    control.id = `p-${name}`;
    control.setAttribute("aria-describedby", `p-${name}-hint p-${name}-error`);
    controls.set(name, control);
    control.addEventListener("input", changed);
    const made = element(
      "div",
      { class: "row" },
      element("label", { for: control.id }, label),
      shown,
      element("p", { id: `p-${name}-hint`, class: "faint hint" }, hint),
      element("p", { id: `p-${name}-error`, class: "error" }),
    );
    rows.set(name, made);
    group.append(made);
    return made;
  }

  function numberRow(name: NumberName): void {
    const { label, hint, step } = NUMBERS[name];
    const { minimum, maximum = Infinity, default: value } = fields[name]!;
    const isBounded = maximum < Number.MAX_SAFE_INTEGER;
    const input = element("input", {
      type: "number",
      min: minimum,
      max: isBounded ? maximum : undefined,
      step,
      value: String(value),
      inputmode: "decimal",
    });
    const slider = SLIDERS.includes(name) ? withSlider(input, label) : undefined;
    if (slider) sliders.set(name, slider);
    const text = isBounded ? `${minimum} to ${maximum}, ${String(value)} by default. ${hint}` : hint;
    row(name, label, input, text, slider?.box);
  }

  function choiceRow(name: string, label: string, choices: Choices, hint: string, value: string): void {
    const options = choices.map(([choice, text]) => element("option", { value: choice }, text));
    const select = element("select", {}, ...options);
    select.value = value;
    row(name, label, select, hint);
  }

  function checkRow(name: string, label: string, hint: string, isOn: boolean): HTMLInputElement {
    const input = element("input", { type: "checkbox", checked: isOn });
    row(name, label, input, hint).classList.add("check");
    return input;
  }

  beginGroup("Result");
  row(
    "size",
    "Size",
    sizes.select,
    `Each side from ${sides.min} to ${sides.max}, or exactly as large as your image.`,
  );
  row("custom", "Width × height", sizes.custom, `Each from ${sides.min} to ${sides.max}.`);
  sizes.select.addEventListener("input", showCustom);
  choiceRow("preserve", "Keep from your image", KEEPS, "At its original sharpness and size.", "auto");
  if (images.maxWithLayout > images.maxImages) {
    choiceRow(
      "image_layout",
      "Images",
      LAYOUTS,
      `This model was trained with one image; it accepts up to ${images.maxWithLayout} anyway.`,
      ONE_IMAGE,
    );
  }
  numberRow("num_images");
  choiceRow(
    "output_format",
    "Format",
    FORMATS,
    "PNG is lossless; the others are smaller.",
    String(fields["output_format"]!.default),
  );
  beginGroup("Mask");
  const masked = group;
  for (const name of MASKED) numberRow(name);
  beginGroup("Drawing");
  numberRow("num_inference_steps");
  choiceRow(
    "speed",
    "Speed",
    SPEEDS,
    "Skips steps that change little; the result stays at least this close to one with every step.",
    "off",
  );
  numberRow("guidance");
  numberRow("seed");
  beginGroup("Steer away");
  const negative = element("input", { type: "text", maxlength: fields["negative_prompt"]!.maxLength });
  row("negative_prompt", "Negative instruction", negative, "What to avoid; takes twice as long.");
  numberRow("true_cfg_scale");
  const { maxItems, items } = fields["loras"]!;
  const emptyNegative = checkRow(
    "use_empty_negative_prompt",
    "Use an empty negative instruction",
    "Only used without a negative instruction; takes twice as long.",
    false,
  );
  beginGroup("LoRA");
  const loraRows = createLoraRows(group, { max: maxItems!, range: items!.properties!["scale"]! }, changed);
  beginGroup("Checks and previews");
  const safety = checkRow(
    "enable_safety_checker",
    "Safety checker",
    "Refuses results that look pornographic.",
    fields["enable_safety_checker"]!.default === true,
  );
  const preview = checkRow("preview", "Show the image as it forms", "Takes almost no extra time.", true);
  showCustom();
  setMasked(false);

  function showCustom(): void {
    rows.get("custom")!.hidden = !sizes.isCustom();
  }

  function setMasked(isMasked: boolean): void {
    if (masked.hidden === !isMasked) return;
    masked.hidden = !isMasked;
    changed();
  }

  /** @returns whether everything is in range */
  function validate(): boolean {
    const problems = new Map<string, string>();
    const wrongSize = sizes.problem();
    if (wrongSize) problems.set(wrongSize.control, wrongSize.sentence);
    for (const name of Object.keys(NUMBERS)) {
      const problem = rows.get(name)!.closest("[hidden]")
        ? undefined
        : numberProblem(controls.get(name)!.value, fields[name]!);
      if (problem) problems.set(name, problem);
    }
    for (const [name, control] of controls) {
      find(`p-${name}-error`).textContent = problems.get(name) ?? "";
      control.setAttribute("aria-invalid", String(problems.has(name)));
    }
    const [first] = problems.keys();
    if (first === undefined) return true;
    controls.get(first)!.focus();
    return false;
  }

  const text = (name: string): string => controls.get(name)!.value;
  const number = (name: string): number => Number(text(name));
  function layout(): Parameters["image_layout"] {
    const chosen = controls.get("image_layout")?.value ?? ONE_IMAGE;
    return chosen === ONE_IMAGE ? undefined : (chosen as Parameters["image_layout"]);
  }

  /** Of what was typed wrongly, the default. */
  const sensible = (name: NumberName): number =>
    numberProblem(text(name), fields[name]!) === undefined ? number(name) : Number(fields[name]!.default);
  return {
    read() {
      const loras = loraRows.read();
      if (!validate() || loras === undefined) {
        find<HTMLDetailsElement>("settings").open = true;
        return undefined;
      }
      const isMasked = !masked.hidden;
      const imageLayout = layout();
      return {
        ...(imageLayout && { image_layout: imageLayout }),
        size: sizes.read(),
        num_inference_steps: number("num_inference_steps"),
        guidance: number("guidance"),
        true_cfg_scale: number("true_cfg_scale"),
        seed: number("seed"),
        negative_prompt: negative.value,
        ...(emptyNegative.checked && { use_empty_negative_prompt: true }),
        output_format: text("output_format") as Parameters["output_format"],
        preserve: text("preserve") as NonNullable<Parameters["preserve"]>,
        enable_safety_checker: safety.checked,
        ...(number("num_images") > 1 && { num_images: number("num_images") }),
        ...(text("speed") !== "off" && { acceleration: "auto" as const, min_psnr: number("speed") }),
        ...(isMasked && { strength: number("strength"), mask_feather: number("mask_feather") }),
        ...(loras.length > 0 && { loras }),
      };
    },
    write({ loras, ...values }) {
      if (loras) loraRows.write(loras);
      // Left out of requests that do not have it.
      if (values.negative_prompt !== undefined) {
        emptyNegative.checked = false;
        const layouts = controls.get("image_layout");
        if (layouts) layouts.value = values.image_layout ?? ONE_IMAGE;
        controls.get("num_images")!.value = String(values.num_images ?? 1);
        controls.get("speed")!.value = speedOf(values);
      }
      if (values.keep_unchanged !== undefined)
        controls.get("preserve")!.value = values.keep_unchanged ? "auto" : "off";
      for (const [name, value] of Object.entries(values)) {
        const control = controls.get(name);
        if (name === "size") {
          sizes.write(String(value));
          showCustom();
        } else if (control instanceof HTMLInputElement && control.type === "checkbox")
          control.checked = value === true;
        else if (control) control.value = String(value);
      }
      changed();
    },
    wantsPreview: () => preview.checked,
    size: sizes.size,
    setSource(source) {
      sizes.setSource(source);
      changed();
    },
    maxImages: () => (layout() === undefined ? images.maxImages : images.maxWithLayout),
    work() {
      const steps = sensible("num_inference_steps");
      const strength = masked.hidden ? 1 : sensible("strength");
      // As the server leaves them out.
      return { steps, skipped: Math.trunc(steps - steps * strength), results: sensible("num_images") };
    },
    passes: () => ({
      guidance: sensible("guidance"),
      isNegativeUsed: (negative.value !== "" || emptyNegative.checked) && sensible("true_cfg_scale") > 1,
    }),
    showTimes(times) {
      sliders.get("num_inference_steps")!.setCost(times ? `${times.all}, ${times.step}` : "");
      sliders.get("strength")!.setCost(times ? `${times.all}; ${times.skipped}` : "");
    },
    snapshot: () => snapshotOf(box),
    restore(snapshot) {
      restore(box, snapshot);
      showCustom();
    },
    setMasked,
    setLoras: loraRows.setNames,
    onChange: (listener) => void listeners.push(listener),
  };
}

/** The choice that is nearest to what was asked for, and no less similar. */
function speedOf({ acceleration, min_psnr: decibels = 40 }: Partial<Parameters>): string {
  if (acceleration !== "auto") return "off";
  const enough = SPEEDS.map(([value]) => value).filter((value) => Number(value) >= decibels);
  return enough.at(-1) ?? "off";
}
