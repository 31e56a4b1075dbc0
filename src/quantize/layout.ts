/** Where everything lies in a file of ours: the header, then the tensors without gaps. */
import { byteSizeOf, type DType, safetensorsNameOf } from "../onnx/dtype.ts";
import {
  CONVERTED_VERSION,
  type ConvertedMetadata,
  type MatrixEntry,
  type WeightError,
  type ConvertedKind,
} from "../weights/converted.ts";
import { blocksPerRow, bytesPerBlock, storedTypeOf } from "../weights/quantized.ts";
import { scalesKeyOf } from "../weights/weight-set.ts";
import type { SourceWeight } from "../weights/weight-source.ts";
import { formatOf, type WeightFormat } from "./formats.ts";

const ALIGNMENT = 64;
const ERROR_DIGITS = 4;
/** No error with this many digits is longer as a string, up to 1e9. */
const LONGEST_ERROR = 0.000001234;

/** A tensor of the file. */
export interface Place {
  dtype: DType;
  shape: readonly number[];
  /** From the end of the header. */
  byteOffset: number;
}

export interface PlannedWeight {
  weight: SourceWeight;
  rowCount: number;
  rowSize: number;
  format: WeightFormat;
  place: Place;
  /** Set for a matrix in few bits. */
  scales: Place | undefined;
}

export class FileLayout {
  readonly weights: readonly PlannedWeight[];
  readonly headerLength: number;
  /** Size of the whole file. */
  readonly byteLength: number;
  readonly #kind: ConvertedKind;
  readonly #hash: string;

  /** @param hash hash of the content that the weights were converted from */
  constructor(weights: Iterable<SourceWeight>, kind: ConvertedKind, hash: string) {
    this.weights = [...weights].map((weight) => planned(weight, kind));
    this.#kind = kind;
    this.#hash = hash;
    const dataLength = placeAll(this.weights);
    // The errors are known only once everything else is written, but the header's length must be known now.
    const errors = this.weights
      .filter(isRounded)
      .map(({ weight: { key } }) => ({ key, relativeError: LONGEST_ERROR }));
    this.headerLength = Math.ceil((8 + Buffer.byteLength(this.#headerText(errors))) / ALIGNMENT) * ALIGNMENT;
    this.byteLength = this.headerLength + dataLength;
  }

  /** The length and the JSON, padded with spaces. */
  header(errors: readonly WeightError[]): Uint8Array {
    const text = this.#headerText(errors);
    if (8 + Buffer.byteLength(text) > this.headerLength)
      throw new Error("The header is longer than its room.");
    const header = Buffer.alloc(this.headerLength, " ");
    header.writeBigUInt64LE(BigInt(this.headerLength - 8));
    header.write(text, 8);
    return header;
  }

  #headerText(errors: readonly WeightError[]): string {
    const matrices: Record<string, MatrixEntry> = {};
    for (const { weight, format, rowSize } of this.weights) {
      if (typeof format !== "string") matrices[weight.key] = { ...format, columns: rowSize };
    }
    const rounded = errors.map(({ key, relativeError }) => [
      key,
      Number(relativeError.toPrecision(ERROR_DIGITS)),
    ]);
    const metadata: ConvertedMetadata = {
      retouch_weights: CONVERTED_VERSION,
      kind: this.#kind,
      source: this.#hash,
      matrices: JSON.stringify(matrices),
      errors: JSON.stringify(Object.fromEntries(rounded)),
    };
    const entries = this.weights.flatMap(placesOf).map(([key, found]) => {
      const { dtype, shape, byteOffset } = found;
      const data_offsets = [byteOffset, byteOffset + bytesOf(found)];
      return [key, { dtype: safetensorsNameOf(dtype), shape, data_offsets }];
    });
    return JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  }
}

/** Whether storing a weight may change its numbers. */
export const isRounded = ({ format }: PlannedWeight): boolean => format !== "float32";

export const bytesOf = ({ dtype, shape }: Place): number =>
  shape.reduce((product, dim) => product * dim, byteSizeOf(dtype));

function planned(weight: SourceWeight, kind: ConvertedKind): PlannedWeight {
  const { key, shape, blocks } = weight;
  const format = formatOf(key, shape, kind, blocks);
  const rowCount = shape[0] ?? 1;
  const rowSize = shape.slice(1).reduce((product, dim) => product * dim, 1);
  if (typeof format === "string") {
    const place: Place = { dtype: format, shape, byteOffset: 0 };
    return { weight, rowCount, rowSize, format, place, scales: undefined };
  }
  const count = blocksPerRow(rowSize, format);
  const shapeOfBlocks = [rowCount, count, bytesPerBlock(format)];
  const place: Place = { dtype: storedTypeOf(format), shape: shapeOfBlocks, byteOffset: 0 };
  const scales: Place = { dtype: "float32", shape: [rowCount, count], byteOffset: 0 };
  return { weight, rowCount, rowSize, format, place, scales };
}

/** The tensors of the file, by key. */
const placesOf = ({ weight, place, scales }: PlannedWeight): [string, Place][] => [
  [weight.key, place],
  ...(scales ? [[scalesKeyOf(weight.key), scales] as [string, Place]] : []),
];

/** Gives every tensor its place: no gaps, and large elements first, so each begins at a multiple of its size. */
function placeAll(weights: readonly PlannedWeight[]): number {
  let offset = 0;
  const places = weights.flatMap(placesOf).map(([, found]) => found);
  for (const found of places.toSorted((a, b) => byteSizeOf(b.dtype) - byteSizeOf(a.dtype))) {
    found.byteOffset = offset;
    offset += bytesOf(found);
  }
  return offset;
}
