/** Which TIFF files are right, and which are refused by name: TIFF has more forms than any decoder knows. */
import { isRefused, type PictureForm, type RefusedForm, refusedForm } from "./picture-form.ts";
import { readTiffDirectory, type TiffDirectory, withTiffValue } from "./tiff-directory.ts";

const TAG = {
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  samplesPerPixel: 277,
  planarConfiguration: 284,
  tileWidth: 322,
  inkSet: 332,
  extraSamples: 338,
  sampleFormat: 339,
  imageDepth: 32_997,
} as const;
/** PhotometricInterpretation. */
const [WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB, ICCLAB] = [0, 1, 2, 3, 5, 6, 8, 9];
const JPEG = 7;
/** SampleFormat. */
const FLOAT = 3;

/** Channels of the colours alone, and the depths of whole numbers that are right. */
const COLOURS: Readonly<Record<number, { channels: number; bits: readonly number[] }>> = {
  [WHITE_IS_ZERO]: { channels: 1, bits: [1, 2, 4, 8, 16] },
  [BLACK_IS_ZERO]: { channels: 1, bits: [1, 2, 4, 8, 16, 32] },
  [RGB]: { channels: 3, bits: [8, 16, 32] },
  [PALETTE]: { channels: 1, bits: [1, 2, 4, 8] },
  [CMYK]: { channels: 4, bits: [8, 16] },
  [YCBCR]: { channels: 3, bits: [8] },
  [CIELAB]: { channels: 3, bits: [8, 16] },
  [ICCLAB]: { channels: 3, bits: [8] },
};
const OTHER_COLOURS: Readonly<Record<number, string>> = {
  4: "a TIFF mask",
  10: "a TIFF image in ITU Lab colours",
  32_803: "a camera raw file",
  32_844: "a TIFF image in LogL colours",
  32_845: "a TIFF image in LogLuv colours",
  34_892: "a camera raw file",
};

/** None, CCITT (three kinds), LZW, JPEG, deflate (two numbers), PackBits and WebP. */
const COMPRESSIONS = new Set([1, 2, 3, 4, 5, JPEG, 8, 32_771, 32_773, 32_946, 50_001]);
const OTHER_COMPRESSIONS: Readonly<Record<number, string>> = {
  6: "old-style JPEG",
  32_766: "NeXT's coding",
  32_809: "ThunderScan",
  32_909: "PixarLog",
  34_661: "JBIG",
  34_676: "SGILog",
  34_677: "SGILog",
  34_712: "JPEG 2000",
  34_887: "LERC",
  34_892: "lossy JPEG",
  34_925: "LZMA",
  34_933: "PNG",
  34_934: "JPEG XR",
  50_000: "Zstandard",
  50_002: "JPEG XL",
  52_546: "JPEG XL",
};

export function tiffForm(bytes: Uint8Array): PictureForm | RefusedForm {
  const directory = readTiffDirectory(bytes);
  const form = described(directory);
  if (isRefused(form)) return form;
  // The decoder refuses Lab, so it is told that these are plain numbers, which are converted here.
  return form.encoding?.kind === "lab"
    ? { ...form, bytes: withTiffValue(bytes, directory, TAG.photometric, RGB) }
    : { ...form, bytes };
}

function described({ tags }: TiffDirectory): Omit<PictureForm, "bytes"> | RefusedForm {
  const listOf = (tag: number, fallback: number): readonly number[] => {
    const values = tags.get(tag)?.values ?? [];
    return values.length === 0 ? [fallback] : values;
  };
  const valueOf = (tag: number, fallback: number): number => listOf(tag, fallback)[0]!;
  // A damaged directory has no colours; the decoder says so.
  if (!tags.has(TAG.photometric)) return {};

  const compression = valueOf(TAG.compression, 1);
  if (!COMPRESSIONS.has(compression)) {
    const name = OTHER_COMPRESSIONS[compression] ?? `scheme ${compression}`;
    return refusedForm(`a TIFF image compressed with ${name}`);
  }
  const photometric = valueOf(TAG.photometric, BLACK_IS_ZERO);
  const colours = COLOURS[photometric];
  if (colours === undefined) {
    return refusedForm(OTHER_COLOURS[photometric] ?? `a TIFF image of the colour kind ${photometric}`);
  }
  const [bits, format] = [valueOf(TAG.bitsPerSample, 1), valueOf(TAG.sampleFormat, 1)];
  const depths = new Set(listOf(TAG.bitsPerSample, 1));
  if (depths.size > 1) return refusedForm("a TIFF image whose channels differ in depth");
  const wrongDepth = depthFault({ bits, format, photometric, compression, known: colours.bits });
  if (wrongDepth !== undefined) return refusedForm(wrongDepth);

  const numExtra = valueOf(TAG.samplesPerPixel, 1) - colours.channels;
  if (numExtra < 0 || numExtra > 1 || (numExtra === 1 && (bits < 8 || photometric === PALETTE))) {
    return refusedForm(`a TIFF image of ${valueOf(TAG.samplesPerPixel, 1)} channels`, "save it as RGB");
  }
  const isPlanar = valueOf(TAG.planarConfiguration, 1) === 2 && colours.channels + numExtra > 1;
  if (isPlanar && tags.has(TAG.tileWidth)) {
    return refusedForm("a TIFF image with its channels in separate tiles");
  }
  if (photometric === CMYK && valueOf(TAG.inkSet, 1) !== 1) return refusedForm("a TIFF image of inks");
  if (valueOf(TAG.imageDepth, 1) > 1) return refusedForm("a TIFF volume", "save one slice of it");
  // The decoder takes every extra channel for alpha; 0 means that it is anything else, and 1 premultiplied alpha.
  const extra = numExtra === 1 ? valueOf(TAG.extraSamples, 0) : undefined;
  if (extra === 1 && bits === 32 && format !== FLOAT) {
    return refusedForm("a TIFF image of 32-bit whole numbers with premultiplied alpha");
  }
  if (photometric === CIELAB || photometric === ICCLAB) {
    if (numExtra > 0 || compression === JPEG) return refusedForm("a TIFF image in Lab colours of this kind");
    return { encoding: { kind: "lab", isSigned: photometric === CIELAB } };
  }
  return { hasNoAlpha: extra === 0 };
}

function depthFault(of: {
  bits: number;
  format: number;
  photometric: number;
  compression: number;
  known: readonly number[];
}): string | undefined {
  const { bits, format, photometric, compression, known } = of;
  const isFloat = format === FLOAT;
  if (format === 2) return "a TIFF image of signed numbers";
  if (format > 4) return "a TIFF image of complex numbers";
  // The decoder turns half-precision grey into black.
  const isRight = isFloat
    ? (bits === 16 && photometric === RGB) || (bits === 32 && [BLACK_IS_ZERO, RGB].includes(photometric))
    : known.includes(bits);
  if (!isRight) return `a TIFF image of ${bits}-bit ${isFloat ? "floating-point" : "whole"} numbers`;
  if (compression === JPEG && bits !== 8) return `a TIFF image of ${bits}-bit JPEG data`;
  if (photometric === YCBCR && compression !== JPEG) return "a TIFF image in YCbCr without JPEG";
  return undefined;
}
