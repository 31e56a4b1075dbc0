/**
 * A decoded picture and the arithmetic on it: padding, cropping, and conversion to and from the numbers that a network
 * sees. The two conversions are those of diffusers' VaeImageProcessor (image_processor.py, `preprocess` and
 * `postprocess`), with rounding in the same places. decode.ts and encode.ts handle files, resize.ts other sizes.
 */

/** A picture in sRGB; `data` holds red, green and blue of each pixel, rows top to bottom, 3 bytes per pixel. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8Array;
  /** Whether its file had high dynamic range, of which the brightest lights were bent into sRGB's. @default false */
  isToneMapped?: boolean | undefined;
}

/** Red, green and blue of a colour in sRGB, 0 to 255. */
export type Rgb = readonly [number, number, number];
export const WHITE: Rgb = [255, 255, 255];

/** One byte per pixel, 0 black to 255 white, rows top to bottom. */
export interface GrayPicture {
  width: number;
  height: number;
  data: Uint8Array;
}

const CHANNELS = 3;
const MAX_VALUE = 255;

/** A Buffer's bytes without its methods: `slice` of a Buffer shares memory, that of a Uint8Array copies. */
export function plainBytes(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/**
 * Extends a picture to `width` x `height` pixels by repeating its last column and its last row.
 * @throws RangeError if the picture is larger than that.
 */
export function padPicture(picture: Picture, width: number, height: number): Picture {
  if (width < picture.width || height < picture.height) {
    throw new RangeError(`Cannot pad ${picture.width} x ${picture.height} pixels to ${width} x ${height}.`);
  }
  if (width === picture.width && height === picture.height) return picture;
  const data = new Uint8Array(width * height * CHANNELS);
  const rowBytes = width * CHANNELS;
  const filledBytes = picture.width * CHANNELS;
  for (let y = 0; y < picture.height; y++) {
    const row = data.subarray(y * rowBytes, (y + 1) * rowBytes);
    row.set(picture.data.subarray(y * filledBytes, (y + 1) * filledBytes));
    for (let i = filledBytes; i < rowBytes; i++) row[i] = row[i - CHANNELS]!;
  }
  const lastRowOffset = (picture.height - 1) * rowBytes;
  for (let y = picture.height; y < height; y++) {
    data.copyWithin(y * rowBytes, lastRowOffset, lastRowOffset + rowBytes);
  }
  return { width, height, data };
}

/**
 * Keeps `width` x `height` pixels of a picture.
 * @param from where they begin, in pixels from the top left
 * @throws RangeError if the picture is smaller than that.
 */
export function cropPicture(
  picture: Picture,
  width: number,
  height: number,
  from: { left: number; top: number } = { left: 0, top: 0 },
): Picture {
  if (from.left + width > picture.width || from.top + height > picture.height) {
    throw new RangeError(
      `Cannot crop ${width} x ${height} pixels from ${picture.width} x ${picture.height}.`,
    );
  }
  if (width === picture.width && height === picture.height) return picture;
  const data = new Uint8Array(width * height * CHANNELS);
  const rowBytes = width * CHANNELS;
  for (let y = 0; y < height; y++) {
    const start = ((from.top + y) * picture.width + from.left) * CHANNELS;
    data.set(picture.data.subarray(start, start + rowBytes), y * rowBytes);
  }
  return { width, height, data };
}

// 2 * (value / 255) - 1 with both results in float32, which differs from value / 127.5 - 1 in the last bit.
const PIXEL_OF_VALUE = Float32Array.from(
  { length: MAX_VALUE + 1 },
  (_, value) => 2 * Math.fround(value / MAX_VALUE) - 1,
);

/** Turns a picture into numbers from -1 to 1, one plane per colour: [1, 3, height, width]. */
export function pictureToPixels(picture: Picture): Float32Array {
  const planeSize = picture.width * picture.height;
  const pixels = new Float32Array(CHANNELS * planeSize); // [1, 3, H, W]
  for (let channel = 0; channel < CHANNELS; channel++) {
    for (let i = 0; i < planeSize; i++) {
      pixels[channel * planeSize + i] = PIXEL_OF_VALUE[picture.data[i * CHANNELS + channel]!]!;
    }
  }
  return pixels;
}

/**
 * Turns [1, 3, height, width] numbers from -1 to 1 back into a picture; numbers beyond that range are clamped.
 * @throws RangeError if there are more or fewer numbers than that.
 */
export function pixelsToPicture(pixels: Float32Array, width: number, height: number): Picture {
  const planeSize = width * height;
  if (pixels.length !== CHANNELS * planeSize) {
    throw new RangeError(`${pixels.length} numbers are not an image of ${width} x ${height} pixels.`);
  }
  const data = new Uint8Array(CHANNELS * planeSize);
  for (let channel = 0; channel < CHANNELS; channel++) {
    for (let i = 0; i < planeSize; i++) {
      data[i * CHANNELS + channel] = pixelToValue(pixels[channel * planeSize + i]!);
    }
  }
  return { width, height, data };
}

function pixelToValue(pixel: number): number {
  const unit = Math.fround(pixel * 0.5 + 0.5);
  const scaled = Math.fround(Math.min(Math.max(unit, 0), 1) * MAX_VALUE);
  const floor = Math.floor(scaled);
  const fraction = scaled - floor;
  // numpy rounds a half to the even neighbour, Math.round to the upper one.
  if (fraction === 0.5) return floor + (floor % 2);
  return fraction > 0.5 ? floor + 1 : floor;
}
