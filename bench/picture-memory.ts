/**
 * Peak memory of the pictures of large results, beside what the memory plan says. Prints {"plannedBytes", "measuredBytes"}
 * as JSON: how far an edit of the image's own size raises the high-water mark of the process above that of a small one.
 * Usage: node scripts/run-ts.mjs bench/picture-memory.ts [MEGAPIXELS [RESULTS [8|16 [none|mask|soft [source|SIDE]]]]]
 * The image is noise, of which neither files nor copies get smaller; 16 gives it 16 bits and transparency. A mask is grey
 * noise, and a soft one is blurred and feathered. SIDE is that of a smaller result.
 */
import { writeFileSync } from "node:fs";
import sharp from "sharp";
import { createEngine } from "../src/engine/engine.ts";
import { pictureBytes, USUAL_PIXELS } from "../src/engine/extent.ts";
import { statusBytes } from "./memory.ts";

const [megapixels = "12", results = "1", bits = "8", masking = "none", wanted = "source"] =
  process.argv.slice(2);
const side = Math.round(Math.sqrt(Number(megapixels) * 1e6));
const isDeep = bits === "16";

const noisePng = async (width: number): Promise<Uint8Array> => {
  const channels = isDeep ? 4 : 3;
  const count = width * width * channels;
  const data = isDeep ? new Uint16Array(count) : new Uint8Array(count);
  let state = 1;
  for (let i = 0; i < count; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[i] = isDeep ? state >>> 16 : state >>> 24;
  }
  const raw = { width, height: width, channels } as const;
  const picture = sharp(data, { raw }).toColourspace(isDeep ? "rgb16" : "srgb");
  return new Uint8Array(await picture.png({ compressionLevel: 1 }).toBuffer());
};

const noiseMask = async (width: number): Promise<Uint8Array | undefined> => {
  if (masking === "none") return undefined;
  const data = new Uint8Array(width * width);
  for (let i = 0, state = 7; i < data.length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[i] = state >>> 24;
  }
  const picture = sharp(data, { raw: { width, height: width, channels: 1 } }).toColourspace("b-w");
  return new Uint8Array(await picture.png({ compressionLevel: 1 }).toBuffer());
};

const [small, large] = [await noisePng(256), await noisePng(side)];
const [smallMask, largeMask] = [await noiseMask(256), await noiseMask(side)];
const size = wanted === "source" ? ("source" as const) : { width: Number(wanted), height: Number(wanted) };
const softness = masking === "soft" ? { maskBlur: 8, maskFeather: 16 } : {};
const engine = await createEngine({ safety: { isOn: false }, device: "cpu" });
const edit = (image: Uint8Array, mask: Uint8Array | undefined, numImages: number) =>
  engine.edit({
    image,
    mask,
    ...softness,
    numImages,
    prompt: "Make it night",
    seed: 1,
    numSteps: 1,
    size,
    preserve: "auto",
    isMaskWanted: true,
  });
await edit(small, smallMask, 1);
// The high-water mark begins anew (proc(5)): making the noise raised it.
writeFileSync("/proc/self/clear_refs", "5");
const before = statusBytes(process.pid, "VmRSS") ?? 0;
await edit(large, largeMask, Number(results));
const measuredBytes = (statusBytes(process.pid, "VmHWM") ?? 0) - before;
await engine.close();
const whole = { width: side, height: side };
const mask = masking === "none" ? undefined : masking === "soft" ? "soft" : "hard";
const plannedBytes = pictureBytes({
  target: whole,
  references: [],
  numSteps: 1,
  isNegativeUsed: false,
  result: size === "source" ? whole : size,
  numResults: Number(results),
  isDeep,
  source: whole,
  mask,
});
process.stdout.write(`${JSON.stringify({ plannedBytes, usualPixels: USUAL_PIXELS, measuredBytes })}\n`);
