/** A mask as it is painted: strokes over what was there before, so that each can be taken back. */
import type { Size } from "./size-field.ts";

export interface Stroke {
  /** Diameter, as a share of the longer side. */
  size: number;
  /** Whether it takes away instead of adding. */
  isErasing: boolean;
  /** In shares of width and height. */
  points: [x: number, y: number][];
}

export interface MaskCanvas {
  begin(stroke: Stroke): void;
  /** Goes on with the last stroke. */
  lead(x: number, y: number): void;
  undo(): void;
  clear(): void;
  invert(): void;
  isEmpty(): boolean;
  canUndo(): boolean;
  /** White on black, as PNG, of this size. */
  export(size: Size): Promise<Blob>;
}

/** Seen on most pictures; only its opacity is the mask. */
const COLOUR = "#d6246e";
const COLOUR_BYTES = [0xd6, 0x24, 0x6e] as const;

/** What one stroke, or one of the buttons, does to the mask. */
type Change = Stroke | "clear" | "invert";

/** Wide enough to paint by; the mask itself is made in the size of the image. */
const PAINTED_SIDE = 1024;
const MAX_CHANGES = 200;

/**
 * @param canvas shows the mask: opaque where it is white
 * @param base a mask that is painted further
 */
export function createMaskCanvas(
  canvas: HTMLCanvasElement,
  { width, height }: Size,
  base: ImageBitmap | undefined,
): MaskCanvas {
  const scale = Math.min(1, PAINTED_SIDE / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  let changes: Change[] = [];
  // Changes beyond the limit become part of what was there before.
  let ground = base && alphaOf(base, canvas);

  function redraw(): void {
    reset(context);
    if (ground) context.drawImage(ground, 0, 0, canvas.width, canvas.height);
    for (const change of changes) apply(context, change);
  }

  function add(change: Change): void {
    if (changes.length >= MAX_CHANGES) {
      const [oldest] = changes;
      const settled = new OffscreenCanvas(canvas.width, canvas.height);
      const below = settled.getContext("2d")!;
      if (ground) below.drawImage(ground, 0, 0);
      apply(below, oldest!);
      ground = settled;
      changes = changes.slice(1);
    }
    changes.push(change);
    redraw();
  }

  redraw();
  return {
    begin: add,
    lead(x, y) {
      const last = changes.at(-1);
      if (last === undefined || typeof last === "string") return;
      last.points.push([x, y]);
      redraw();
    },
    undo() {
      changes.pop();
      redraw();
    },
    clear: () => add("clear"),
    invert: () => add("invert"),
    isEmpty: () => context.getImageData(0, 0, canvas.width, canvas.height).data.every((value) => value === 0),
    canUndo: () => changes.length > 0,
    async export(size) {
      const whole = new OffscreenCanvas(size.width, size.height);
      const drawn = whole.getContext("2d")!;
      drawn.drawImage(canvas, 0, 0, size.width, size.height);
      // Black below what was painted; where the brush's edge is soft, grey.
      drawn.globalCompositeOperation = "source-in";
      drawn.fillStyle = "#fff";
      drawn.fillRect(0, 0, size.width, size.height);
      drawn.globalCompositeOperation = "destination-over";
      drawn.fillStyle = "#000";
      drawn.fillRect(0, 0, size.width, size.height);
      return whole.convertToBlob({ type: "image/png" });
    },
  };
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

function reset(context: Context): void {
  context.globalCompositeOperation = "source-over";
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
}

function apply(context: Context, change: Change): void {
  const { width, height } = context.canvas;
  if (change === "clear") return reset(context);
  context.fillStyle = COLOUR;
  context.strokeStyle = COLOUR;
  if (change === "invert") {
    context.globalCompositeOperation = "xor";
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "source-over";
    return;
  }
  const { points, size, isErasing } = change;
  context.globalCompositeOperation = isErasing ? "destination-out" : "source-over";
  context.lineWidth = size * Math.max(width, height);
  context.lineCap = "round";
  context.lineJoin = "round";
  const [first] = points;
  if (first !== undefined) {
    // A line of no length shows nothing, so it begins with a disc.
    context.beginPath();
    context.arc(first[0] * width, first[1] * height, context.lineWidth / 2, 0, 2 * Math.PI);
    context.fill();
  }
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x * width, y * height);
  context.stroke();
  context.globalCompositeOperation = "source-over";
}

/** A mask in black and white as one colour with its brightness as alpha. */
function alphaOf(mask: ImageBitmap, { width, height }: Size): OffscreenCanvas {
  const made = new OffscreenCanvas(width, height);
  const context = made.getContext("2d")!;
  context.drawImage(mask, 0, 0, width, height);
  const image = context.getImageData(0, 0, width, height);
  for (let at = 0; at < image.data.length; at += 4) {
    const value = image.data[at]!;
    image.data.set([...COLOUR_BYTES, value], at);
  }
  context.putImageData(image, 0, 0);
  return made;
}
