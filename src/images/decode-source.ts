/**
 * From a source's file to what its edit needs: the plain picture for the networks, and the deep one, of which the result
 * takes over transparency, bits and colour space.
 */
import type { Metadata } from "sharp";
import { deepOfSamples, pictureOfDeep, plainDeep } from "./convert-deep.ts";
import { decodedAs, decodedBy, type DecodeOptions } from "./decode.ts";
import { type DecodedSamples, profileOf, readerOf, readSamples, readWideSamples } from "./decode-samples.ts";
import { wideSpaceOf } from "./colour-space.ts";
import { type DecodedSource, type DeepPicture, hasAlpha } from "./deep-picture.ts";
import { encodeDeep } from "./encode.ts";
import { isRefused, type PictureForm, type RefusedForm } from "./picture-form.ts";
import { type Picture, plainBytes, type Rgb } from "./picture.ts";

export interface DecodeSourceOptions extends DecodeOptions {
  /** What transparency is laid on in `picture`. @default white */
  background?: Rgb | undefined;
}

/** Decodes a file as `decodePicture` does, and keeps what that leaves out. @throws as decodePicture */
export async function decodeSource(
  bytes: Uint8Array,
  { background, ...options }: DecodeSourceOptions = {},
): Promise<DecodedSource> {
  return decodedAs(bytes, options, async (metadata, file, form) => {
    const picture = await decodedBy(metadata, file, form);
    if (isRefused(picture)) return picture;
    const deep = await deepBy(metadata, file, form, picture);
    if (isRefused(deep)) return deep;
    const isLaid = background !== undefined && hasAlpha(deep);
    return {
      picture: isLaid ? pictureOfDeep(deep, background) : picture,
      deep,
      bits: deep.data instanceof Uint8Array ? 8 : bitsOf(metadata),
      notices: noticesOf(metadata, form),
    };
  });
}

async function deepBy(
  metadata: Metadata,
  file: Uint8Array,
  form: PictureForm,
  picture: Picture,
): Promise<DeepPicture | RefusedForm> {
  const { depth, space } = metadata;
  const isKept = isWide(metadata, form) && (await isWritable(metadata.icc!));
  const profile = isKept ? metadata.icc : undefined;
  const toDeep = (decoded: DecodedSamples | RefusedForm): DeepPicture | RefusedForm =>
    isRefused(decoded) ? decoded : deepOfSamples(decoded.samples, decoded.meaning, profile);
  if (depth === "float" || depth === "uint") return toDeep(await readWideSamples(metadata, file, form));
  const isSimple = form.encoding === undefined && !form.isPremultiplied;
  if (isSimple && (depth === "uchar" || space === "cmyk") && !isKept) {
    return plain(metadata, file, form, picture);
  }
  const samples = await readSamples(metadata, file, form);
  return samples === undefined ? plain(metadata, file, form, picture) : toDeep(samples);
}

/** Whether the file's own profile is one that results keep. */
function isWide(metadata: Metadata, { hasNoProfile }: PictureForm): boolean {
  if (hasNoProfile || metadata.icc === undefined || metadata.space === "cmyk") return false;
  const encoding = profileOf(metadata);
  return (
    encoding !== undefined && encoding !== "unknown" && wideSpaceOf(encoding, metadata.icc) !== undefined
  );
}

/** Whether a file can be written with a profile: PNG's library checks more of it than ours (libpng 1.6). */
async function isWritable(icc: Uint8Array): Promise<boolean> {
  const pixel = { width: 1, height: 1, channels: 3, data: new Uint8Array(3), space: { icc } } as const;
  return encodeDeep(pixel, "png").then(
    () => true,
    () => false,
  );
}

/** What the decoder converts to sRGB, in 8 bits. */
async function plain(
  { hasAlpha: isTransparent }: Metadata,
  file: Uint8Array,
  { hasNoAlpha, hasNoProfile = false, frame }: PictureForm,
  picture: Picture,
): Promise<DeepPicture> {
  if (!isTransparent || hasNoAlpha || frame) return plainDeep(picture);
  const { data, info } = await (
    await readerOf(file, { ignoreIcc: hasNoProfile })
  )
    .autoOrient()
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 4) return plainDeep(picture);
  const { width, height } = info;
  return deepOfSamples({ width, height, channels: 4, data: plainBytes(data), max: 255 }, {});
}

const bitsOf = ({ bitsPerSample = 16 }: Metadata): number =>
  bitsPerSample > 8 && bitsPerSample < 16 ? bitsPerSample : 16;

function noticesOf(metadata: Metadata, form: PictureForm): string[] {
  const { space, icc } = metadata;
  const inSrgb = (what: string): string[] => [`The image has ${what}, so the result is in sRGB.`];
  if (space === "cmyk") return inSrgb("colours of print (CMYK)");
  if (form.encoding?.kind === "lab") return inSrgb("Lab colours");
  if (form.encoding?.kind === "rgb" && form.encoding.isNarrow) return inSrgb("colours of narrow range");
  if (form.hasNoProfile || form.encoding || icc === undefined) return [];
  return profileOf(metadata) === "unknown" && isOfColour(icc)
    ? inSrgb("a colour profile of tables, which the result cannot have")
    : [];
}

/** Whether a profile is for RGB (ICC.1:2022, section 7.2.8). */
const isOfColour = (icc: Uint8Array): boolean => Buffer.from(icc).toString("latin1", 16, 20) === "RGB ";
