/**
 * Decoding in more than 8 bits, or to colours that the decoder cannot convert: it hands over its samples as they are, and
 * samples.ts makes a picture of them. sharp itself cuts 16 bits to 8 without rounding, and lays 16-bit transparency on
 * 65,280 of 65,535 (sharp 0.35.5).
 */
import type { Metadata, Sharp } from "sharp";
import type { ColourEncoding } from "./colour-encoding.ts";
import { readProfile } from "./icc.ts";
import { isRefused, type PictureForm, type RefusedForm, refusedForm } from "./picture-form.ts";
import { type Picture, plainBytes, type Rgb } from "./picture.ts";
import { type SampleMeaning, type Samples, samplesToPicture } from "./samples.ts";
import { loadSharp } from "./sharp.ts";

export const NO_COLOURS: RefusedForm = {
  state: "has colours that cannot be converted to sRGB",
  advice: "save it as PNG in sRGB",
};

const BYTE = 255;
const WORD = 65_535;
/** Of floating-point numbers, this share may lie outside of 0 to 1: highlights, and what sharpening leaves. */
const MAX_OUTSIDE = 0.01;

export async function readerOf(file: Uint8Array, options: { ignoreIcc?: boolean } = {}): Promise<Sharp> {
  const sharp = await loadSharp();
  // "error" refuses truncated files, but still accepts the harmless oddities ("warning") of many cameras.
  return sharp(file, { failOn: "error", limitInputPixels: false, page: 0, pages: 1, ...options });
}

/** A decoder's numbers, and what they mean. */
export interface DecodedSamples {
  samples: Samples;
  meaning: SampleMeaning;
}

/** Whole numbers of 8 or 16 bits; undefined if only the decoder can convert their profile. */
export async function readSamples(
  metadata: Metadata,
  file: Uint8Array,
  form: PictureForm,
): Promise<DecodedSamples | RefusedForm | undefined> {
  const encoding = form.encoding ?? (form.hasNoProfile ? undefined : profileOf(metadata));
  if (encoding === "unknown") {
    return form.isPremultiplied
      ? refusedForm("an AVIF image of premultiplied alpha with a profile of tables")
      : undefined;
  }
  const isDeep = metadata.depth === "ushort";
  const { data, info } = await rawOf(file, form, isDeep ? ["rgb16", "ushort"] : ["srgb", "uchar"]);
  const numbers = isDeep ? wordsOf(data) : plainBytes(data);
  return samplesOf(info, numbers, isDeep ? largestWord(metadata) : BYTE, { ...form, encoding });
}

/** 32-bit whole numbers, and floating-point ones, of which 1 is white: both become 16 bits first. */
export async function readWideSamples(
  metadata: Metadata,
  file: Uint8Array,
  form: PictureForm,
): Promise<DecodedSamples | RefusedForm> {
  const encoding = profileOf(metadata);
  if (encoding === "unknown") return refusedForm("a TIFF image of 32 bits with a profile of tables");
  if (metadata.depth === "uint") {
    const { data, info } = await rawOf(file, form, ["rgb16", "ushort"]);
    return samplesOf(info, wordsOf(data), WORD, { encoding });
  }
  // The decoder takes floating-point colours for linear light, but not grey.
  const { data, info } = await rawOf(file, form, [metadata.channels < 3 ? "srgb" : "scrgb", "float"]);
  const words = wordsOfFloats(floatsOf(data));
  return isRefused(words) ? words : samplesOf(info, words, WORD, { encoding });
}

/** Upright samples, as the file has them. */
async function rawOf(
  file: Uint8Array,
  form: PictureForm,
  [space, depth]: readonly ["rgb16" | "srgb" | "scrgb", "ushort" | "uchar" | "float"],
) {
  const upright = (await readerOf(file, { ignoreIcc: true })).autoOrient();
  return (form.hasNoAlpha ? upright.removeAlpha() : upright)
    .toColourspace(space)
    .raw({ depth })
    .toBuffer({ resolveWithObject: true });
}

/** 8-bit sRGB on white. */
export const pictureOf = (decoded: DecodedSamples | RefusedForm, background?: Rgb): Picture | RefusedForm =>
  isRefused(decoded) ? decoded : samplesToPicture(decoded.samples, decoded.meaning, background);

function samplesOf(
  { width, height, channels }: { width: number; height: number; channels: number },
  data: Samples["data"],
  max: number,
  { encoding, isPremultiplied }: SampleMeaning,
): DecodedSamples | RefusedForm {
  if (channels !== 3 && channels !== 4) return NO_COLOURS;
  return { samples: { width, height, channels, data, max }, meaning: { encoding, isPremultiplied } };
}

/** A profile is for colours or for grey; one that does not fit the picture means nothing. */
export function profileOf({ icc, channels }: Metadata): ColourEncoding | undefined | "unknown" {
  if (icc === undefined) return undefined;
  const profile = readProfile(icc);
  if (profile === undefined) return "unknown";
  const isOfGrey = profile.colorants === undefined;
  return isOfGrey === channels < 3 ? { kind: "profile", profile } : undefined;
}

/** 10 and 12 bits (AVIF) come shifted to the top of 16, so that their white is 65,472 or 65,520. */
function largestWord({ bitsPerSample = 16 }: Metadata): number {
  return bitsPerSample > 8 && bitsPerSample < 16 ? WORD - 2 ** (16 - bitsPerSample) + 1 : WORD;
}

function wordsOfFloats(values: Float32Array): Uint16Array | RefusedForm {
  const words = new Uint16Array(values.length);
  let numOutside = 0;
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!(value >= 0 && value <= 1)) numOutside += 1;
    if (value < least) least = value;
    if (value > most) most = value;
    // What is no number becomes black.
    words[i] = Math.round(WORD * Math.min(Math.max(value, 0), 1)) || 0;
  }
  if (numOutside <= values.length * MAX_OUTSIDE) return words;
  if (most === -Infinity) return refusedForm("a TIFF image whose floating-point values are no numbers");
  return {
    state: `is a TIFF image of floating-point numbers from ${shown(least)} to ${shown(most)}, where 0 is black and 1 is white`,
    advice: "scale them to that range",
  };
}

const shown = (value: number): string => String(Number(value.toPrecision(3)));

export const wordsOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Uint16Array =>
  byteOffset % 2 === 0
    ? new Uint16Array(buffer, byteOffset, byteLength >> 1)
    : new Uint16Array(buffer.slice(byteOffset, byteOffset + byteLength));

const floatsOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array =>
  byteOffset % 4 === 0
    ? new Float32Array(buffer, byteOffset, byteLength >> 2)
    : new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
