import { readFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { resizePicture } from "../../src/images/resize.ts";
import type { Picture } from "../../src/images/picture.ts";
import { compose } from "../../src/preserve/compose.ts";
import { analyse } from "../../src/preserve/analyse.ts";
import { resampled, tapsOf } from "../../src/preserve/resample.ts";

const folder = ".cache/preserve-set";
const only = process.argv[2] ? new RegExp(process.argv[2]) : /./;
const noiseLevel = Number(process.env.NOISE ?? 2);
interface Row {
  id: string;
  kind: string;
  style: string | null;
}
const rows: Row[] = JSON.parse(readFileSync(path.join(folder, "edits.json"), "utf8"));
const FACTOR = Number(process.env.FACTOR ?? 4.9);

async function load(file: string): Promise<Picture> {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data) };
}
function rng(seed: string): () => number {
  let h = 2166136261;
  for (const c of seed) h = Math.imul(h ^ c.charCodeAt(0), 16777619) >>> 0;
  return () => {
    h = (h + 0x6d2b79f5) >>> 0;
    let t = Math.imul(h ^ (h >>> 15), 1 | h);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const mse = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let s = 0;
  for (let i = 0; i < a.length; i++) s += (a[i]! - b[i]!) ** 2;
  return s / a.length;
};
const psnr = (m: number) => 10 * Math.log10(255 ** 2 / Math.max(m, 1e-3));

let worst = Infinity;
const sums: Record<string, number[][]> = {};
let pix = 0,
  ex = 0;
for (const row of rows.filter(({ id }) => only.test(id))) {
  const random = rng(row.id);
  const source = await load(path.join(folder, `${row.id}.source.png`));
  const truth = await load(path.join(folder, `${row.id}.truth.png`));
  const w = Math.round(source.width / FACTOR),
    h = Math.round(source.height / FACTOR);
  const form = Math.floor(random() * 4);
  const u = () => (random() * 2 - 1) * 0.03;
  const sx = form === 2 || form === 3 ? 1 + u() : 1;
  const sy = form === 3 ? 1 + u() : sx;
  const tx = form === 1 ? u() * w : form === 2 || form === 3 ? ((1 - sx) * w) / 2 : 0;
  const ty = form === 1 ? u() * h : form === 2 || form === 3 ? ((1 - sy) * h) / 2 : 0;
  const fx = source.width / w,
    fy = source.height / h;
  const big = resampled(
    truth,
    tapsOf(truth.width, w, fx / sx, (-tx / sx) * fx),
    tapsOf(truth.height, h, fy / sy, (-ty / sy) * fy),
  );
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const raw: Picture = {
    width: w,
    height: h,
    data: Uint8Array.from(big, (v) => Math.min(255, Math.max(0, Math.round(v + noiseLevel * normal())))),
  };
  const reduced = await resizePicture(source, w, h);
  const plain = await resizePicture(raw, source.width, source.height);
  const t0 = performance.now();
  const a = analyse(reduced, raw, { mode: "auto" });
  const { picture, kept } = await compose({ source: { ...source, channels: 3 }, reduced, raw, mode: "auto" });
  const t1 = performance.now();
  const straight = resampled(
    raw,
    tapsOf(w, source.width, (w / source.width) * sx, tx),
    tapsOf(h, source.height, (h / source.height) * sy, ty),
  ).map((v) => Math.min(255, Math.max(0, Math.round(v))));
  const strict = psnr(mse(straight, truth.data));
  const p = psnr(mse(plain.data, truth.data)),
    q = psnr(mse(picture.data, truth.data));
  let un = 0,
    exact = 0;
  for (let i = 0; i < truth.data.length; i += 3) {
    const same = (x: ArrayLike<number>) =>
      x[i] === source.data[i] && x[i + 1] === source.data[i + 1] && x[i + 2] === source.data[i + 2];
    if (same(truth.data)) {
      un++;
      if (same(picture.data)) exact++;
    }
  }
  pix += un;
  ex += exact;
  const n = source.width * source.height;
  const pl = a.placement;
  const errAt = (x: number, sc: number, sh: number, s0: number, t: number) => x * sc + sh - (x * s0 + t);
  const err = Math.max(
    ...[0, w].map((x) => Math.abs(errAt(x, pl.scaleX, pl.shiftX, sx, tx))),
    ...[0, h].map((y) => Math.abs(errAt(y, pl.scaleY, pl.shiftY, sy, ty))),
  );
  const key = row.kind === "style" || row.kind === "photograph" ? `${row.kind}/${row.style}` : row.kind;
  (sums[key] ??= []).push([q - p, p, q, un ? exact / un : NaN]);
  worst = Math.min(worst, q - p);
  console.log(
    row.id.padEnd(34),
    "form",
    form,
    "reg err px",
    err.toFixed(2),
    "plain",
    p.toFixed(2),
    "ours",
    q.toFixed(2),
    "gain",
    (q - p).toFixed(2),
    "strict",
    (q - strict).toFixed(2),
    "k/c/d",
    [kept.shares.kept, kept.shares.carried, kept.shares.drawn].map((s) => s.toFixed(3)).join(" "),
    "unedited",
    (un / n).toFixed(3),
    "exact",
    un ? (exact / un).toFixed(4) : "-",
    (t1 - t0).toFixed(0) + "ms",
  );
}
const mean = (v: number[]) => v.reduce((s, x) => s + x, 0) / v.length;
console.log();
for (const [k, v] of Object.entries(sums))
  console.log(
    k.padEnd(26),
    v.length,
    "gain min",
    Math.min(...v.map((x) => x[0]!)).toFixed(2),
    "mean",
    mean(v.map((x) => x[0]!)).toFixed(2),
    "plain",
    mean(v.map((x) => x[1]!)).toFixed(2),
    "ours",
    mean(v.map((x) => x[2]!)).toFixed(2),
    "exact",
    mean(v.map((x) => x[3]!).filter((x) => !Number.isNaN(x))).toFixed(4),
  );
console.log("worst gain", worst.toFixed(2), "pooled exact", (ex / pix).toFixed(5));
