import { resizePicture } from "../../src/images/resize.ts";
import { compose } from "../../src/preserve/compose.ts";
import { analyse } from "../../src/preserve/analyse.ts";
import sharp from "sharp";
const load = async (f: string, w: number, h: number) => {
  const { data, info } = await sharp(f)
    .resize(w, h, { fit: "fill" })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data) };
};
const kind = process.argv[2] ?? "recolour-00";
const source = await load(`.cache/preserve-set/${kind}.source.png`, 6000, 4000);
const raw = await resizePicture(await load(`.cache/preserve-set/${kind}.truth.png`, 6000, 4000), 1254, 836);
if (process.argv[3]) {
  const s = await sharp(raw.data, { raw: { width: 1254, height: 836, channels: 3 } })
    .extend({ left: 20, background: "#777" })
    .extract({ left: 0, top: 0, width: 1254, height: 836 })
    .raw()
    .toBuffer();
  raw.data = new Uint8Array(s);
}
for (let i = 0; i < 2; i++) {
  const t = performance.now(); const c0 = process.cpuUsage();
  const reduced = await resizePicture(source, raw.width, raw.height);
  const t1 = performance.now();
  const c1 = process.cpuUsage(); analyse(reduced, raw, { mode: "auto" }); const c2 = process.cpuUsage(c1);
  const t2 = performance.now();
  const { kept } = await compose({ source: { ...source, channels: 3 }, reduced, raw, mode: "auto" });
  const t3 = performance.now();
  console.log(
    "reduce",
    (t1 - t).toFixed(0),
    "analyse",
    (t2 - t1).toFixed(0),
    "compose",
    (t3 - t2).toFixed(0),
    "total",
    (t1 - t + t3 - t2).toFixed(0),
    kept.shares,
    "cpu analyse", c2.user / 1e3, "cpu all", process.cpuUsage(c0).user / 1e3, "rss MB",
    process.memoryUsage().rss / 1e6,
    process.resourceUsage().maxRSS / 1e3,
  );
}
