/** A slider above a number's field: both show the same value, and what it costs. */
import { element } from "./dom.ts";

export interface Slider {
  /** In place of the field. */
  box: HTMLElement;
  /** @param cost what the present value costs; empty if that is not known */
  setCost(cost: string): void;
}

/** @param field with `min`, `max` and `step` */
export function withSlider(field: HTMLInputElement, label: string): Slider {
  const { min, max, step } = field;
  const range = element("input", { type: "range", min, max, step, "aria-label": `${label}, slider` });
  const cost = element("output", { class: "faint hint" });
  const follow = (): void => {
    range.value = field.value;
  };
  range.addEventListener("input", () => {
    field.value = range.value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  field.addEventListener("input", follow);
  follow();
  return {
    box: element("div", { class: "slider" }, range, field, cost),
    setCost(next) {
      cost.textContent = next;
      // Values that are written by programs cause no event.
      follow();
    },
  };
}
