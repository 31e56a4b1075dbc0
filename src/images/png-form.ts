/**
 * What a PNG says about its colours besides a profile, which the decoder does not read: cICP, which HDR screenshots
 * have, and before it gAMA and cHRM (https://www.w3.org/TR/png-3/#11addnlcolinfo). cICP precedes a profile, which
 * precedes sRGB, which precedes the other two.
 */
import { type ColourEncoding, encodingOfCodes } from "./colour-encoding.ts";
import { type Primaries, SRGB_PRIMARIES } from "./colour-matrix.ts";
import { type PictureForm, type RefusedForm, refusedForm } from "./picture-form.ts";

const SIGNATURE_BYTES = 8;
/** Of a chunk besides its data: length, type and checksum. */
const CHUNK_BYTES = 12;
/** Chunks about colours stand before the data; more than so many others have no reader. */
const MAX_CHUNKS = 1000;
/** gAMA of sRGB, in 100,000ths, and how far from it a gamma still means sRGB. */
const SRGB_GAMMA = 45_455;
const GAMMA_TOLERANCE = 1000;
const SCALE = 100_000;
const PRIMARIES_TOLERANCE = 0.001;

export function pngForm(bytes: Uint8Array): PictureForm | RefusedForm {
  const chunks = colourChunks(bytes);
  if (chunks.has("CgBI")) return refusedForm("a PNG image as Xcode rewrites it for iOS");
  const cicp = chunks.get("cICP");
  // A matrix other than 0 is not allowed in PNG, so the chunk means nothing.
  const hasNoProfile = cicp?.byteLength === 4 && cicp.getUint8(2) === 0;
  const encoding = hasNoProfile
    ? encodingOfCodes(cicp.getUint8(0), cicp.getUint8(1), cicp.getUint8(3) === 0)
    : encodingOfGamma(chunks);
  if (typeof encoding === "string") return refusedForm(`a PNG image ${encoding}`);
  return { bytes, encoding, hasNoProfile };
}

function encodingOfGamma(chunks: ReadonlyMap<string, DataView>): ColourEncoding | undefined {
  if (chunks.has("iCCP") || chunks.has("sRGB")) return undefined;
  const gamma = chunks.get("gAMA")?.byteLength === 4 ? chunks.get("gAMA")!.getUint32(0) : SRGB_GAMMA;
  const isSrgbCurve = gamma === 0 || Math.abs(gamma - SRGB_GAMMA) <= GAMMA_TOLERANCE;
  const primaries = primariesOf(chunks.get("cHRM"));
  if (isSrgbCurve && primaries === SRGB_PRIMARIES) return undefined;
  return {
    kind: "rgb",
    primaries,
    transfer: isSrgbCurve ? { kind: "srgb" } : { kind: "gamma", exponent: SCALE / gamma },
  };
}

/** cHRM has white first. A triangle without an area is no colour space. */
function primariesOf(chunk: DataView | undefined): Primaries {
  if (chunk?.byteLength !== 32) return SRGB_PRIMARIES;
  const [wx, wy, rx, ry, gx, gy, bx, by] = Array.from(
    { length: 8 },
    (_, i) => chunk.getUint32(4 * i) / SCALE,
  ) as unknown as Primaries;
  const area = Math.abs((gx - rx) * (by - ry) - (bx - rx) * (gy - ry));
  if (area < 0.01 || [ry, gy, by, wy].some((y) => y < 0.001)) return SRGB_PRIMARIES;
  const given: Primaries = [rx, ry, gx, gy, bx, by, wx, wy];
  const isSrgb = given.every((value, i) => Math.abs(value - SRGB_PRIMARIES[i]!) <= PRIMARIES_TOLERANCE);
  return isSrgb ? SRGB_PRIMARIES : given;
}

function colourChunks(bytes: Uint8Array): Map<string, DataView> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = new Map<string, DataView>();
  let at = SIGNATURE_BYTES;
  for (let i = 0; i < MAX_CHUNKS && at + CHUNK_BYTES <= bytes.length; i++) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (type === "IDAT" || at + CHUNK_BYTES + length > bytes.length) break;
    chunks.set(type, new DataView(bytes.buffer, bytes.byteOffset + at + 8, length));
    at += CHUNK_BYTES + length;
  }
  return chunks;
}
