/** Before and after in one frame, with a divider moved by mouse, finger or arrow keys. */
import { element, show } from "./dom.ts";

/** What the two images are called. */
export type Names = readonly [left: string, right: string];

/** @returns the frame; the bytes are shown as they are */
export function compare(before: Blob, after: Blob, [left, right]: Names): HTMLElement {
  const [from, to] = [
    element("img", { alt: left, class: "before layer" }),
    element("img", { alt: right, class: "after layer" }),
  ];
  show(from, before);
  show(to, after);
  const slider = element("input", {
    type: "range",
    min: 0,
    max: 100,
    value: 50,
    class: "divider",
    "aria-label": `Divider between ${left.toLowerCase()} and ${right.toLowerCase()}`,
  });
  const frame = element(
    "div",
    { class: "compare" },
    to,
    // Cuts at the divider, however much the picture in it is enlarged.
    element("div", { class: "clip" }, from),
    element("span", { class: "tag left", "aria-hidden": "true" }, left),
    element("span", { class: "tag right", "aria-hidden": "true" }, right),
    element("span", { class: "line", "aria-hidden": "true" }),
    slider,
  );
  const place = (): void => {
    frame.style.setProperty("--share", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value}% ${left.toLowerCase()}`);
  };
  slider.addEventListener("input", place);
  to.addEventListener("load", () =>
    frame.style.setProperty("--aspect", `${to.naturalWidth} / ${to.naturalHeight}`),
  );
  place();
  return frame;
}
