/**
 * What a process takes that puts one edit of light together at the size of its source, of SIDES pixels. Prints
 * {"peakBytes"}: the high-water mark of the whole process.
 * Usage: node scripts/run-ts.mjs test/support/preserve-memory.ts WIDTH HEIGHT
 */
import { statusBytes } from "../../bench/memory.ts";
import { resizePicture } from "../../src/images/resize.ts";
import { compose } from "../../src/preserve/compose.ts";

const [width, height] = process.argv.slice(2).map(Number) as [number, number];
const data = new Uint8Array(width * height * 3);
for (let y = 0, i = 0; y < height; y++) {
  for (let x = 0; x < width; x++, i += 3) {
    const detail = ((x * 7) ^ (y * 13)) & 31;
    data[i] = 60 + detail + (x >> 6);
    data[i + 1] = 90 + detail;
    data[i + 2] = 120 + detail - (y >> 6);
  }
}
const source = { width, height, data };
const factor = Math.sqrt((width * height) / 1024 ** 2);
const reduced = await resizePicture(source, Math.round(width / factor), Math.round(height / factor));
const raw = { ...reduced, data: reduced.data.map((value) => 0.4 * value) };
const { kept } = await compose({
  source: { ...source, channels: 3 },
  reduced,
  raw,
  seen: { ...reduced, data: reduced.data.slice() },
  mode: "auto",
  isMapped: true,
  threads: 2,
});
if (kept.shares.carried < 0.9) throw new Error(`Only ${kept.shares.carried} was carried over.`);
console.log(JSON.stringify({ peakBytes: statusBytes("self", "VmHWM") }));
