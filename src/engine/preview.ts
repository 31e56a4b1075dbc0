/**
 * Previews of latents at almost no cost: a linear map from a latent cell and its four neighbours to the cell's patch of
 * pixels, fitted by least squares to what the checkpoint's own autoencoder makes of a few synthetic images. So it works
 * for any checkpoint and needs no file. It has the colours and coarse shapes of the decoded image, not its detail.
 */
import { type Picture, pictureToPixels, pixelsToPicture } from "../images/picture.ts";
import { addTransposedProduct, createMatrix, type Matrix, solve } from "./least-squares.ts";
import { drawSample } from "./preview-samples.ts";
import type { Size } from "./request.ts";

/** Turns a latent grid [C, h, w] into an image with a few pixels per cell. */
export type LatentSketcher = (grid: Float32Array, size: Size) => Picture;

/** Of the longer side in pixels, as long as each cell has at least one pixel. */
const MAX_SIDE = 256;
/** 1,024 cells for 81 weights per value with 16 channels; twice as many improved a fit by 0.3 dB. */
const NUM_SAMPLES = 4;
const SAMPLE_CELLS = 16;
/** Times the number of cells. Normalised latents have a variance of about 1, so this shrinks weights by about 0.1 %. */
const RIDGE = 1e-3;
const COLOURS = 3;
/** Row and column offsets of a cell and its neighbours; the neighbours gain 4 dB. */
const NEIGHBOURS = [
  [0, 0],
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
] as const;

/** Both halves of an autoencoder, with latents normalised as the transformer has them. */
export interface LatentCodec {
  readonly autoencoder: { latentChannels: number; scaleFactor: number };
  /** Pixels [3, height, width] to latents [C, h, w]. */
  encodePixels(pixels: Float32Array, size: Size): Promise<Float32Array>;
  /** Latents [C, h, w] of a grid of that size to pixels [3, height, width]. */
  decodeLatents(grid: Float32Array, size: Size): Promise<Float32Array>;
}

/** Fits the map; costs encoding and decoding four images of 16 x 16 cells. */
export async function fitSketcher(codec: LatentCodec): Promise<LatentSketcher> {
  const { latentChannels, scaleFactor } = codec.autoencoder;
  const side = SAMPLE_CELLS * scaleFactor;
  const cells = { width: SAMPLE_CELLS, height: SAMPLE_CELLS };
  // Half the decoded image's resolution: the map has no finer detail.
  const patch = Math.max(1, scaleFactor / 2);
  const numInputs = NEIGHBOURS.length * latentChannels + 1;
  const normal = createMatrix(numInputs, numInputs);
  const weights = createMatrix(numInputs, patch * patch * COLOURS);
  for (let sample = 0; sample < NUM_SAMPLES; sample += 1) {
    const pixels = pictureToPixels(drawSample(sample, side));
    const grid = await codec.encodePixels(pixels, { width: side, height: side });
    const decoded = await codec.decodeLatents(grid, cells);
    const inputs = inputsOf(grid, latentChannels, cells);
    addTransposedProduct(normal, inputs, inputs);
    addTransposedProduct(weights, inputs, patchesOf(decoded, cells, { scaleFactor, patch }));
  }
  // Every input but the last, which is the constant.
  for (let input = 0; input < numInputs - 1; input += 1) {
    normal.data[input * (numInputs + 1)]! += RIDGE * NUM_SAMPLES * SAMPLE_CELLS ** 2;
  }
  solve(normal, weights);

  return (grid, size) => {
    let fitting = patch;
    while (fitting > 1 && fitting * Math.max(size.width, size.height) > MAX_SIDE) fitting /= 2;
    return project(
      inputsOf(grid, latentChannels, size),
      reducedWeights(weights, patch, fitting),
      size,
      fitting,
    );
  };
}

/** For each cell, the channels of itself and its neighbours, and a constant 1; the border is repeated outwards. */
function inputsOf(grid: Float32Array, numChannels: number, { width, height }: Size): Matrix {
  const inputs = createMatrix(width * height, NEIGHBOURS.length * numChannels + 1);
  let next = 0;
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      for (const [down, right] of NEIGHBOURS) {
        const y = Math.min(Math.max(row + down, 0), height - 1);
        const x = Math.min(Math.max(column + right, 0), width - 1);
        for (let channel = 0; channel < numChannels; channel += 1) {
          inputs.data[next++] = grid[(channel * height + y) * width + x]!;
        }
      }
      inputs.data[next++] = 1;
    }
  }
  return inputs;
}

/** For each cell, the decoded pixels [3, h, w] under it, averaged to patch x patch values: row, column, colour. */
function patchesOf(
  pixels: Float32Array,
  { width, height }: Size,
  { scaleFactor, patch }: { scaleFactor: number; patch: number },
): Matrix {
  const patches = createMatrix(width * height, patch * patch * COLOURS);
  const block = scaleFactor / patch;
  const rowLength = width * scaleFactor;
  const planeSize = rowLength * height * scaleFactor;
  for (let colour = 0; colour < COLOURS; colour += 1) {
    for (let y = 0; y < height * scaleFactor; y += 1) {
      for (let x = 0; x < rowLength; x += 1) {
        const cell = Math.floor(y / scaleFactor) * width + Math.floor(x / scaleFactor);
        const [row, column] = [y, x].map((at) => Math.floor((at % scaleFactor) / block)) as [number, number];
        const value = pixels[colour * planeSize + y * rowLength + x]!;
        patches.data[cell * patches.columns + (row * patch + column) * COLOURS + colour]! +=
          value / block ** 2;
      }
    }
  }
  return patches;
}

/** The weights of smaller patches: a mean of linear functions is linear too. */
function reducedWeights(weights: Matrix, patch: number, smaller: number): Matrix {
  if (smaller === patch) return weights;
  const block = patch / smaller;
  const reduced = createMatrix(weights.rows, smaller * smaller * COLOURS);
  for (let input = 0; input < weights.rows; input += 1) {
    for (let output = 0; output < weights.columns; output += 1) {
      const colour = output % COLOURS;
      const at = (output - colour) / COLOURS;
      const [row, column] = [Math.floor(at / patch / block), Math.floor((at % patch) / block)];
      const to = (row * smaller + column) * COLOURS + colour;
      reduced.data[input * reduced.columns + to]! +=
        weights.data[input * weights.columns + output]! / block ** 2;
    }
  }
  return reduced;
}

/** Multiplies the cells' inputs by the weights and assembles the patches into an image. */
function project(inputs: Matrix, weights: Matrix, cells: Size, patch: number): Picture {
  const [width, height] = [cells.width * patch, cells.height * patch];
  const planeSize = width * height;
  const pixels = new Float32Array(COLOURS * planeSize); // [3, height, width]
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const first = (Math.floor(y / patch) * cells.width + Math.floor(x / patch)) * inputs.columns;
      const output = ((y % patch) * patch + (x % patch)) * COLOURS;
      // All three colours at once, which takes half the time of a general product.
      let [red, green, blue] = [0, 0, 0];
      for (let input = 0; input < inputs.columns; input += 1) {
        const value = inputs.data[first + input]!;
        const weight = input * weights.columns + output;
        red += value * weights.data[weight]!;
        green += value * weights.data[weight + 1]!;
        blue += value * weights.data[weight + 2]!;
      }
      const at = y * width + x;
      pixels[at] = red;
      pixels[planeSize + at] = green;
      pixels[2 * planeSize + at] = blue;
    }
  }
  return pixelsToPicture(pixels, width, height);
}
