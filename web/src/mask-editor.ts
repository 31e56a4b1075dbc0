/** Where the image may change: painted over it in a dialog, and shown on it in the form. */
import { element, find, show } from "./dom.ts";
import { createMaskCanvas, type MaskCanvas } from "./mask-canvas.ts";
import type { FittingPicture } from "./picture-file.ts";
import type { Size } from "./size-field.ts";

export interface MaskEditor {
  /** The image that is edited; another one has no mask yet. */
  setPicture(picture: FittingPicture | undefined): void;
  /** Takes a mask of an earlier edit of this image. */
  write(mask: Blob | undefined): Promise<void>;
  /** White where the image may change, as PNG of this size; undefined without a mask. */
  read(size: Size): Promise<Blob | undefined>;
}

/** Of the longer side. */
const KEY_STEP = 0.02;
const DIRECTIONS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** @param onChange called with whether there is a mask */
export function createMaskEditor(isTaken: boolean, onChange: (hasMask: boolean) => void): MaskEditor {
  const open = find<HTMLButtonElement>("mask-open");
  const dialog = find<HTMLDialogElement>("mask-dialog");
  const picture = find<HTMLImageElement>("mask-picture");
  const canvas = find<HTMLCanvasElement>("mask-canvas");
  const overlay = find<HTMLCanvasElement>("source-mask");
  const brush = find<HTMLInputElement>("mask-brush");
  const cursor = find("mask-cursor");
  const undo = find<HTMLButtonElement>("mask-undo");
  let source: FittingPicture | undefined;
  let mask: Blob | undefined;
  let painted: MaskCanvas | undefined;
  let at: [x: number, y: number] = [0.5, 0.5];

  function changed(next: Blob | undefined): void {
    mask = next;
    overlay.hidden = mask === undefined;
    open.textContent = mask === undefined ? "Paint what may change" : "Change the mask";
    onChange(mask !== undefined);
  }

  async function preview(): Promise<void> {
    if (mask === undefined || source === undefined) return;
    const bitmap = await createImageBitmap(mask);
    createMaskCanvas(overlay, source, bitmap);
    bitmap.close();
  }

  async function edit(): Promise<void> {
    if (source === undefined) return;
    show(picture, source.bytes);
    const bitmap = mask && (await createImageBitmap(mask));
    painted = createMaskCanvas(canvas, source, bitmap);
    undo.disabled = true;
    dialog.showModal();
    canvas.focus();
    placeCursor();
  }

  async function finish(): Promise<void> {
    if (painted === undefined || source === undefined) return;
    changed(painted.isEmpty() ? undefined : await painted.export(source));
    await preview();
  }

  const isErasing = (): boolean => find<HTMLInputElement>("mask-erase").checked;
  const begin = (): void => {
    painted?.begin({ size: Number(brush.value) / 100, isErasing: isErasing(), points: [at] });
    undo.disabled = false;
  };

  function placeCursor(): void {
    const side = Math.max(canvas.clientWidth, canvas.clientHeight);
    cursor.style.width = `${(Number(brush.value) / 100) * side}px`;
    cursor.style.left = `${at[0] * 100}%`;
    cursor.style.top = `${at[1] * 100}%`;
  }

  function moveTo(event: PointerEvent): void {
    const box = canvas.getBoundingClientRect();
    at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    placeCursor();
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    moveTo(event);
    begin();
  });
  canvas.addEventListener("pointermove", (event) => {
    moveTo(event);
    if (canvas.hasPointerCapture(event.pointerId)) painted?.lead(...at);
  });
  canvas.addEventListener("keydown", (event) => {
    const direction = DIRECTIONS[event.key];
    if (direction) {
      const clamp = (value: number): number => Math.min(1, Math.max(0, value));
      at = [clamp(at[0] + direction[0] * KEY_STEP), clamp(at[1] + direction[1] * KEY_STEP)];
      placeCursor();
      if (event.shiftKey) painted?.lead(...at);
    } else if (event.key === " ") begin();
    else if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo.click();
    else return;
    event.preventDefault();
  });
  brush.addEventListener("input", placeCursor);
  undo.addEventListener("click", () => {
    painted?.undo();
    undo.disabled = !painted?.canUndo();
  });
  for (const [id, act] of [
    ["mask-invert", () => painted?.invert()],
    ["mask-clear", () => painted?.clear()],
  ] as const) {
    find(id).addEventListener("click", () => {
      act();
      undo.disabled = false;
    });
  }
  open.addEventListener("click", () => void edit());
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "use") void finish();
    dialog.returnValue = "";
  });

  return {
    setPicture(next) {
      open.hidden = !isTaken || next === undefined;
      if (next?.bytes === source?.bytes) return;
      source = next;
      changed(undefined);
    },
    async write(next) {
      changed(source && next);
      await preview();
    },
    async read(size) {
      if (mask === undefined) return undefined;
      const bitmap = await createImageBitmap(mask);
      if (bitmap.width === size.width && bitmap.height === size.height) return mask;
      const scratch = element("canvas");
      return createMaskCanvas(scratch, size, bitmap).export(size);
    },
  };
}
