/** Cuts the image that is edited to a rectangle, drawn in a dialog by mouse, finger or keyboard. */
import { type Area, centred, dragged, type Grip, pixelsOf, WHOLE } from "./crop-area.ts";
import { find, show } from "./dom.ts";
import type { FittingPicture } from "./picture-file.ts";

export interface CropEditor {
  /** The image that is edited. */
  setPicture(picture: FittingPicture | undefined): void;
}

/** Of the image, for one press of an arrow key. */
const KEY_STEP = 0.01;
const DIRECTIONS: Readonly<Record<string, [number, number]>> = {
  ArrowLeft: [-KEY_STEP, 0],
  ArrowRight: [KEY_STEP, 0],
  ArrowUp: [0, -KEY_STEP],
  ArrowDown: [0, KEY_STEP],
};
const MOVE: Grip = { x: undefined, y: undefined };
const LAST_CORNER: Grip = { x: "right", y: "bottom" };

/** @param onCropped called with what is left of the image */
export function createCropEditor(onCropped: (picture: FittingPicture) => void): CropEditor {
  const open = find<HTMLButtonElement>("crop-open");
  const dialog = find<HTMLDialogElement>("crop-dialog");
  const box = find("crop-box");
  const shape = find<HTMLSelectElement>("crop-shape");
  const said = find("crop-size");
  let source: FittingPicture | undefined;
  let area = WHOLE;
  /** Where the pointer took hold, and what the area was then. */
  let drag: { grip: Grip; from: Area; x: number; y: number } | undefined;

  /** Width to height in shares of the image; undefined if it is free. */
  function ratio(): number | undefined {
    if (shape.value === "free" || source === undefined) return undefined;
    const [width, height] = shape.value.split(":").map(Number);
    return (width! / height!) * (source.height / source.width);
  }

  function place(next: Area): void {
    area = next;
    if (source === undefined) return;
    for (const [name, share] of Object.entries(area)) {
      const isFar = name === "right" || name === "bottom";
      box.style.setProperty(name, `${(isFar ? 1 - share : share) * 100}%`);
    }
    const { width, height } = pixelsOf(area, source);
    said.textContent = `${width} × ${height}`;
    box.setAttribute("aria-label", `Part to keep, ${width} × ${height}`);
  }

  function begin(): void {
    if (source === undefined) return;
    show(find("crop-picture"), source.bytes);
    shape.value = "free";
    place(WHOLE);
    dialog.showModal();
    box.focus();
  }

  async function finish(): Promise<void> {
    if (source === undefined) return;
    const { x, y, width, height } = pixelsOf(area, source);
    if (width === source.width && height === source.height) return;
    const bitmap = await createImageBitmap(source.bytes, x, y, width, height);
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d")!.drawImage(bitmap, 0, 0);
    bitmap.close();
    // JPEG stays JPEG, which a photograph as PNG would be many times the size of.
    const type = source.bytes.type === "image/jpeg" ? "image/jpeg" : "image/png";
    onCropped({ bytes: await canvas.convertToBlob({ type, quality: 0.95 }), width, height });
  }

  box.addEventListener("pointerdown", (event) => {
    const { x, y } = (event.target as HTMLElement).dataset;
    const grip: Grip = { x: x as Grip["x"], y: y as Grip["y"] };
    drag = { grip, from: area, x: event.clientX, y: event.clientY };
    box.setPointerCapture(event.pointerId);
  });
  box.addEventListener("pointermove", ({ clientX, clientY }) => {
    if (drag === undefined) return;
    const { clientWidth, clientHeight } = find("crop-frame");
    const by: [number, number] = [(clientX - drag.x) / clientWidth, (clientY - drag.y) / clientHeight];
    place(dragged(drag.from, drag.grip, by, ratio()));
  });
  for (const kind of ["pointerup", "pointercancel"] as const)
    box.addEventListener(kind, () => (drag = undefined));
  box.addEventListener("keydown", (event) => {
    const direction = DIRECTIONS[event.key];
    if (direction === undefined) return;
    place(
      dragged(area, event.shiftKey ? LAST_CORNER : MOVE, direction, event.shiftKey ? ratio() : undefined),
    );
    event.preventDefault();
  });
  shape.addEventListener("input", () => {
    const wanted = ratio();
    place(wanted === undefined ? area : centred(wanted));
  });
  open.addEventListener("click", begin);
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "use") void finish();
    dialog.returnValue = "";
  });

  return {
    setPicture(next) {
      source = next;
      open.hidden = next === undefined;
    },
  };
}
