/** The contact sheet: for each kind the first scenes of the set, as source, result and truth. */
import sharp from "sharp";
import type { Picture } from "../src/index.ts";
import type { Plan } from "./options.ts";
import { editKey } from "./selection.ts";
import type { Scene } from "./set.ts";
import { groupsOf } from "./statistics.ts";
import { drawnPicture, type EditMeasurement, type Tools } from "./tasks.ts";

/** Scenes per kind. */
const SCENES = 3;
/** The side of the square that an image fits into, never enlarged. */
const TILE = 136;
const GAP = 6;
const CELL = { width: 3 * TILE + 2 * GAP, height: TILE + 52 };
const MARGIN = 28;
const COLUMN_GAP = 32;
const HEADER = 64;
const KIND_HEADER = 30;
const FONT = "DejaVu Sans, Liberation Sans, Arial, sans-serif";
const COLOURS = {
  paper: "#fbfaf8",
  ink: "#2b2b2b",
  faint: "#8b8780",
  followed: "#3d8b5f",
  missed: "#c2573f",
};

interface Overlay {
  input: Buffer;
  left: number;
  top: number;
}

/** @returns a PNG */
export async function drawSheet(scenes: readonly Scene[], plan: Plan, tools: Tools): Promise<Buffer> {
  const kinds = [...groupsOf(scenes, ({ kind }) => kind)];
  const rowHeight = KIND_HEADER + CELL.height;
  const columns = Math.max(...kinds.map(([, group]) => Math.min(SCENES, group.length)));
  const width = 2 * MARGIN + columns * CELL.width + (columns - 1) * COLUMN_GAP;
  const height = HEADER + kinds.length * rowHeight + MARGIN;
  const texts = Array.from({ length: columns }, (_, column) => columnTitles(leftOf(column)));
  texts.push(legend());
  const pictures: Overlay[] = [];
  for (const [row, [kind, group]] of kinds.entries()) {
    const top = HEADER + row * rowHeight;
    texts.push(text(kind, MARGIN, top + 18, { size: 14, weight: 600 }));
    for (const [column, scene] of group.slice(0, SCENES).entries()) {
      const place = { left: leftOf(column), top: top + KIND_HEADER };
      pictures.push(...(await tilesOf(scene, place, plan, tools)));
      const { isFollowed } = tools.record.get<EditMeasurement>(editKey(scene, plan));
      texts.push(caption(scene.instruction, isFollowed, { left: place.left, top: place.top + TILE }));
    }
  }
  const words = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${texts.join("")}</svg>`;
  return sharp({ create: { width, height, channels: 3, background: COLOURS.paper } })
    .composite([...pictures, { input: Buffer.from(words), left: 0, top: 0 }])
    .png({ compressionLevel: 9 })
    .toBuffer();
}

const leftOf = (column: number): number => MARGIN + column * (CELL.width + COLUMN_GAP);

async function tilesOf(
  scene: Scene,
  place: { left: number; top: number },
  plan: Plan,
  { set, native, record }: Tools,
): Promise<Overlay[]> {
  const { source, truth } = await set.scene(scene);
  const result = await record.picture(editKey(scene, plan));
  const pictures = [drawnPicture(source, scene, native), result, drawnPicture(truth, scene, native)];
  return Promise.all(pictures.map((picture, at) => tile(picture, place.left + at * (TILE + GAP), place.top)));
}

/** An image in the middle of its square. */
async function tile({ width, height, data }: Picture, left: number, top: number): Promise<Overlay> {
  const { data: input, info } = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(TILE, TILE, { fit: "inside", withoutEnlargement: true })
    .png()
    .toBuffer({ resolveWithObject: true });
  return {
    input,
    left: left + Math.floor((TILE - info.width) / 2),
    top: top + Math.floor((TILE - info.height) / 2),
  };
}

function columnTitles(left: number): string {
  return ["source", "result", "truth"]
    .map((title, at) =>
      text(title, left + at * (TILE + GAP) + TILE / 2, HEADER - 10, {
        size: 11,
        colour: COLOURS.faint,
        anchor: "middle",
      }),
    )
    .join("");
}

function legend(): string {
  const top = 27;
  return [
    mark(true, MARGIN + 5, top - 4),
    text("followed", MARGIN + 16, top, { size: 12, colour: COLOURS.faint }),
    mark(false, MARGIN + 91, top - 4),
    text("not followed", MARGIN + 102, top, { size: 12, colour: COLOURS.faint }),
  ].join("");
}

/** The mark and the instruction, in at most two lines. */
function caption(
  instruction: string,
  isFollowed: boolean,
  { left, top }: { left: number; top: number },
): string {
  const lines = wrapped(instruction, 58, 2);
  const rows = lines.map((line, at) => text(line, left + 16, top + 19 + at * 16, { size: 12 }));
  return mark(isFollowed, left + 5, top + 15) + rows.join("");
}

/** A full dot or a ring, so that the colours need not be told apart. */
function mark(isFollowed: boolean, x: number, y: number): string {
  return isFollowed
    ? `<circle cx="${x}" cy="${y}" r="4.5" fill="${COLOURS.followed}"/>`
    : `<circle cx="${x}" cy="${y}" r="3.75" fill="none" stroke="${COLOURS.missed}" stroke-width="1.5"/>`;
}

function text(
  content: string,
  x: number,
  y: number,
  { size, colour = COLOURS.ink, weight = 400, anchor = "start" }: TextStyle,
): string {
  return `<text x="${x}" y="${y}" font-family="${FONT}" font-size="${size}" font-weight="${weight}" fill="${colour}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

interface TextStyle {
  size: number;
  colour?: string;
  weight?: number;
  anchor?: "start" | "middle";
}

/** Breaks words into at most `most` lines of `length` characters; an ellipsis replaces what does not fit. */
export function wrapped(words: string, length: number, most: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(/\s+/).filter(Boolean)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= length) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.slice(0, most).map((line, at) => {
    const isWhole = line.length <= length && (at < most - 1 || lines.length <= most);
    return isWhole ? line : `${line.slice(0, length - 1)}…`;
  });
}

const escaped = (content: string): string =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
