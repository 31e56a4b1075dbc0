/**
 * The crop around a mask, its way to the network's size and back, and the overlay of the result: `get_crop_region`,
 * `_resize_and_fill`, `_resize_and_crop` and `apply_overlay` of diffusers' `VaeImageProcessor` (diffusers 0.42.1,
 * `image_processor.py`), number for number.
 */
import type { GrayPicture, Picture } from "./picture.ts";
import { BICUBIC, pillowResize, type Samples } from "./pillow-resize.ts";

/** A part of an image, in pixels from its top left. */
export interface Region {
  left: number;
  top: number;
  width: number;
  height: number;
}

type Size = Pick<Picture, "width" | "height">;

/**
 * The part of a mask that holds every pixel of it that is not black, with `padding` pixels around, widened to the shape of
 * `working` as far as the mask goes. The mask must not be black.
 */
export function cropRegion(mask: GrayPicture, working: Size, padding: number): Region {
  const marked = markedEnds(mask);
  const x = {
    from: Math.max(marked.left - padding, 0),
    to: Math.min(marked.right + padding, mask.width),
  };
  const y = {
    from: Math.max(marked.top - padding, 0),
    to: Math.min(marked.bottom + padding, mask.height),
  };
  const ratio = working.width / working.height;
  const [width, height] = [x.to - x.from, y.to - y.from];
  if (width / height > ratio) widen(y, Math.trunc(width / ratio - height), mask.height);
  else widen(x, Math.trunc(height * ratio - width), mask.width);
  return { left: x.from, top: y.from, width: x.to - x.from, height: y.to - y.from };
}

function widen(span: { from: number; to: number }, more: number, length: number): void {
  span.from -= Math.floor(more / 2);
  span.to += more - Math.floor(more / 2);
  if (span.to >= length) {
    span.from -= span.to - length;
    span.to = length;
  }
  if (span.from < 0) {
    span.to -= span.from;
    span.from = 0;
  }
  span.to = Math.min(span.to, length);
}

function markedEnds({ width, height, data }: GrayPicture) {
  const ends = { left: width, top: height, right: 0, bottom: 0 };
  for (let y = 0; y < height; y += 1) {
    const row = data.subarray(y * width, (y + 1) * width);
    const first = row.findIndex((value) => value !== 0);
    if (first === -1) continue;
    ends.left = Math.min(ends.left, first);
    ends.right = Math.max(ends.right, row.findLastIndex((value) => value !== 0) + 1);
    ends.top = Math.min(ends.top, y);
    ends.bottom = y + 1;
  }
  return ends;
}

export function cropped({ width, channels, data }: Samples, { left, top, ...size }: Region): Samples {
  const rowBytes = size.width * channels;
  const output = new Uint8Array(rowBytes * size.height);
  for (let y = 0; y < size.height; y += 1) {
    const from = ((top + y) * width + left) * channels;
    output.set(data.subarray(from, from + rowBytes), y * rowBytes);
  }
  return { ...size, channels, data: output };
}

/** Where something lies in a size once it is resized in its own shape to fit into it, centred. */
export function fittedInto(input: Size, { width, height }: Size): Region {
  const [ratio, own] = [width / height, input.width / input.height];
  const inner = {
    width: ratio < own ? width : Math.floor((input.width * height) / input.height),
    height: ratio >= own ? height : Math.floor((input.height * width) / input.width),
  };
  return { ...inner, left: half(width) - half(inner.width), top: half(height) - half(inner.height) };
}

/** Resizes in its own shape to fit into a size, centred; what remains at two sides repeats its edge. */
export function resizeAndFill(input: Samples, { width, height }: Size): Samples {
  const [ratio, own] = [width / height, input.width / input.height];
  const { left, top, ...inner } = fittedInto(input, { width, height });
  const resized = pillowResize(input, inner);
  const { channels } = input;
  const output = { width, height, channels, data: new Uint8Array(width * height * channels) };
  paste(output, resized, left, top);
  if (ratio < own && top > 0) {
    const band = { width, height: top };
    paste(output, stretchedEdge(resized, band, 0), 0, 0);
    paste(output, stretchedEdge(resized, band, resized.height), 0, top + inner.height);
  } else if (ratio > own && left > 0) {
    const turned = swapped(resized);
    const band = { width: height, height: left };
    paste(output, swapped(stretchedEdge(turned, band, 0)), 0, 0);
    paste(output, swapped(stretchedEdge(turned, band, turned.height)), left + inner.width, 0);
  }
  return output;
}

/** Resizes in its own shape to cover a size, of which the middle stays. */
export function resizeAndCrop(input: Samples, { width, height }: Size): Samples {
  const [ratio, own] = [width / height, input.width / input.height];
  const outer = {
    width: ratio > own ? width : Math.floor((input.width * height) / input.height),
    height: ratio <= own ? height : Math.floor((input.height * width) / input.width),
  };
  const { channels } = input;
  const output = { width, height, channels, data: new Uint8Array(width * height * channels) };
  paste(
    output,
    pillowResize(input, outer),
    half(width) - half(outer.width),
    half(height) - half(outer.height),
  );
  return output;
}

const half = (length: number): number => Math.floor(length / 2);

/** A band that shows the edge at a row: Pillow stretches a box of no height. */
const stretchedEdge = (input: Samples, band: Size, row: number): Samples =>
  pillowResize(input, band, { filter: BICUBIC, rows: [row, row] });

/** Rows for columns. */
function swapped({ width, height, channels, data }: Samples): Samples {
  const output = new Uint8Array(data.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = (y * width + x) * channels;
      output.set(data.subarray(from, from + channels), (x * height + y) * channels);
    }
  }
  return { width: height, height: width, channels, data: output };
}

/** In place; what lies beyond the target is left out. */
function paste(target: Samples, { width, height, channels, data }: Samples, left: number, top: number): void {
  const [fromX, toX] = [Math.max(0, -left), Math.min(width, target.width - left)];
  if (toX <= fromX) return;
  for (let y = Math.max(0, -top); y < Math.min(height, target.height - top); y += 1) {
    const row = data.subarray((y * width + fromX) * channels, (y * width + toX) * channels);
    target.data.set(row, ((top + y) * target.width + left + fromX) * channels);
  }
}

/**
 * Lays a drawn picture over a part of the source: where `alpha` is 0 the source's bytes stay, where it is 255 they are the
 * drawn ones, and between they are mixed as Pillow mixes them.
 * @param alpha of the size of the drawn picture
 * @param at where both begin in the source, in which they lie whole
 */
export function overlay(
  source: Picture,
  drawn: Pick<Samples, "data">,
  alpha: GrayPicture,
  { left, top }: Pick<Region, "left" | "top"> = { left: 0, top: 0 },
): Picture {
  const data = source.data.slice();
  for (let pixel = 0; pixel < alpha.data.length; pixel += 1) {
    const share = alpha.data[pixel]!;
    if (share === 0) continue;
    const x = left + (pixel % alpha.width);
    const y = top + Math.floor(pixel / alpha.width);
    const to = (y * source.width + x) * 3;
    for (let i = 0; i < 3; i += 1) {
      data[to + i] = mixed(data[to + i]!, drawn.data[pixel * 3 + i]!, 255 - share);
    }
  }
  return { width: source.width, height: source.height, data };
}

/** Pasted premultiplied, then composited (`Paste.c`, `Convert.c` and `AlphaComposite.c` of Pillow). */
function mixed(source: number, drawn: number, opacity: number): number {
  if (opacity === 0) return drawn;
  const premultiplied = dividedBy255(source * opacity + 128);
  const plain = opacity === 255 ? premultiplied : Math.min(255, Math.trunc((255 * premultiplied) / opacity));
  return dividedBy255((plain * opacity + drawn * (255 - opacity)) * 128 + 0x4000) >> 7;
}

const dividedBy255 = (value: number): number => ((value >> 8) + value) >> 8;
