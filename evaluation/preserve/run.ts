/**
 * Measures what stays (docs/pictures.md) on edits whose truth is known: `npm run eval:preserve -- [FILTER]`. Draws the edits on
 * first use; prints a line for each and, per kind, the figures.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import type { Picture } from "../../src/images/picture.ts";
import { plainBytes } from "../../src/images/picture.ts";
import { measure, type Measured } from "./measure.ts";

const FOLDER = ".cache/preserve-set";
const EDITS = 200;

interface Edit {
  id: string;
  kind: string;
  style: string | null;
}

if (!existsSync(path.join(FOLDER, "edits.json"))) {
  const drawing = ["scripts/python.mjs", "-m", "training.preserve_set", FOLDER, String(EDITS)];
  const { status } = spawnSync(process.execPath, drawing, { stdio: "inherit" });
  if (status !== 0) throw new Error("The edits could not be drawn.");
}
const filter = new RegExp(process.argv[2] ?? "");
const edits = (JSON.parse(readFileSync(path.join(FOLDER, "edits.json"), "utf8")) as Edit[]).filter(({ id }) =>
  filter.test(id),
);
const groups = new Map<string, Measured[]>();
for (const { id, kind, style } of edits) {
  const measured = await measure(await load(`${id}.source.png`), await load(`${id}.truth.png`), id);
  const group = style === null ? kind : `${kind}: ${style}`;
  groups.set(group, [...(groups.get(group) ?? []), measured]);
  process.stdout.write(`${id.padEnd(36)} ${lineOf([measured])}\n`);
}
process.stdout.write("\n");
for (const [group, measured] of groups) {
  const count = String(measured.length).padStart(3);
  process.stdout.write(`${group.padEnd(32)} ${count} ${lineOf(measured)}\n`);
}
process.stdout.write(`${"all".padEnd(36)} ${lineOf([...groups.values()].flat())}\n`);

async function load(file: string): Promise<Picture> {
  const { data, info } = await sharp(path.join(FOLDER, file))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: plainBytes(data) };
}

function lineOf(measured: readonly Measured[]): string {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const sum = (value: (one: Measured) => number): number =>
    measured.reduce((total, one) => total + value(one), 0);
  const gains = measured.map(({ plain, preserved }) => preserved - plain);
  const overUndone = measured.map(({ undone, preserved }) => preserved - undone);
  const seams = measured.flatMap(({ seam }) => seam ?? []);
  const unedited = sum((one) => one.unedited);
  const exact = sum((one) => one.exact);
  const [kept, carried, drawn] = (["kept", "carried", "drawn"] as const).map((part) =>
    mean(measured.map(({ shares }) => shares[part])).toFixed(3),
  );
  return [
    `plain ${mean(measured.map(({ plain }) => plain)).toFixed(2)} dB`,
    `preserved ${mean(measured.map(({ preserved }) => preserved)).toFixed(2)} dB`,
    `least gain ${Math.min(...gains).toFixed(2)} dB`,
    `undone ${mean(measured.map(({ undone }) => undone)).toFixed(2)} dB`,
    `least gain over that ${Math.min(...overUndone).toFixed(2)} dB`,
    `misplaced ${Math.max(...measured.map(({ misplaced }) => misplaced)).toFixed(2)}`,
    `exact ${unedited === 0 ? "-" : `${((100 * exact) / unedited).toFixed(2)} %`}`,
    `seam ${seams.length === 0 ? "-" : mean(seams).toFixed(2)}`,
    `kept ${kept} carried ${carried} drawn ${drawn}`,
  ].join(", ");
}
