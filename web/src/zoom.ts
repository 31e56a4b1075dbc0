/** Zoom and pan of a picture within its frame: by buttons, by Ctrl and the wheel, by two fingers, and by dragging. */
import { button, element } from "./dom.ts";

const MAX_ZOOM = 16;
const STEP = 1.5;
/** Zoom of one notch of a wheel, as a power of e per pixel that it scrolls. */
const WHEEL = 0.002;

/**
 * @param frame what stays in place, and cuts off what is outside
 * @param layers what is enlarged and moved, all alike
 * @returns the buttons
 */
export function addZoom(frame: HTMLElement, layers: () => readonly HTMLElement[]): HTMLElement {
  let scale = 1;
  /** Where the picture's upper left corner lies, in pixels of the frame. */
  let [left, top] = [0, 0];
  const pointers = new Map<number, PointerEvent>();
  const shown = element("output", { class: "zoom-value" });

  function place(): void {
    const { clientWidth: width, clientHeight: height } = frame;
    // No edge of the picture comes into the frame.
    left = Math.min(0, Math.max(width * (1 - scale), left));
    top = Math.min(0, Math.max(height * (1 - scale), top));
    for (const layer of layers()) {
      layer.style.transformOrigin = "0 0";
      layer.style.transform = scale === 1 ? "" : `translate(${left}px, ${top}px) scale(${scale})`;
    }
    frame.classList.toggle("zoomed", scale > 1);
    shown.textContent = `${Math.round(scale * 100)}%`;
  }

  /** Enlarges around a point of the frame. */
  function zoomTo(next: number, x = frame.clientWidth / 2, y = frame.clientHeight / 2): void {
    const wanted = Math.min(MAX_ZOOM, Math.max(1, next));
    left = x - ((x - left) * wanted) / scale;
    top = y - ((y - top) * wanted) / scale;
    scale = wanted;
    place();
  }

  const pointOf = (event: MouseEvent): [x: number, y: number] => {
    const box = frame.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  frame.addEventListener(
    "wheel",
    (event) => {
      // Without Ctrl the page scrolls, as everywhere; a pinch on a touchpad arrives with it.
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoomTo(scale * Math.exp(-event.deltaY * WHEEL), ...pointOf(event));
    },
    { passive: false },
  );
  frame.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event);
    if (scale > 1 || pointers.size > 1) frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (before === undefined) return;
    const other = [...pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    pointers.set(event.pointerId, event);
    if (other !== undefined) {
      const distance = (one: PointerEvent): number =>
        Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      zoomTo((scale * distance(event)) / Math.max(1, distance(before)), ...pointOf(other));
    } else if (scale > 1) {
      left += event.clientX - before.clientX;
      top += event.clientY - before.clientY;
      place();
    }
  });
  for (const kind of ["pointerup", "pointercancel"] as const)
    frame.addEventListener(kind, (event) => pointers.delete(event.pointerId));
  new ResizeObserver(place).observe(frame);

  const labelled = (text: string, label: string, onClick: () => void): HTMLButtonElement => {
    const made = button(text, onClick, "tool");
    made.setAttribute("aria-label", label);
    made.title = label;
    return made;
  };
  const controls = element(
    "div",
    { class: "tools", role: "group", "aria-label": "Zoom" },
    labelled("−", "Zoom out", () => zoomTo(scale / STEP)),
    shown,
    labelled("+", "Zoom in", () => zoomTo(scale * STEP)),
    labelled("⤢", "Show the whole image", () => zoomTo(1)),
  );
  place();
  return controls;
}
