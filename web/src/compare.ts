/** Before and after in one frame, with a divider moved by mouse, finger or arrow keys. */
import { element, show } from "./dom.ts";

/** @returns the frame; the bytes are shown as they are */
export function compare(before: Blob, after: Blob): HTMLElement {
  const [from, to] = [
    element("img", { alt: "Before", class: "before layer" }),
    element("img", { alt: "After", class: "after layer" }),
  ];
  show(from, before);
  show(to, after);
  const slider = element("input", {
    type: "range",
    min: 0,
    max: 100,
    value: 50,
    class: "divider",
    "aria-label": "Divider between before and after",
  });
  const frame = element(
    "div",
    { class: "compare" },
    to,
    // Cuts at the divider, however much the picture in it is enlarged.
    element("div", { class: "clip" }, from),
    element("span", { class: "tag left", "aria-hidden": "true" }, "Before"),
    element("span", { class: "tag right", "aria-hidden": "true" }, "After"),
    element("span", { class: "line", "aria-hidden": "true" }),
    slider,
  );
  const place = (): void => {
    frame.style.setProperty("--share", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value}% before`);
  };
  slider.addEventListener("input", place);
  to.addEventListener("load", () =>
    frame.style.setProperty("--aspect", `${to.naturalWidth} / ${to.naturalHeight}`),
  );
  place();
  return frame;
}
