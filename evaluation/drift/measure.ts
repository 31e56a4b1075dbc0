/** How far what should stay drifts away while one picture is edited again and again, on edits whose region is known. */
import type { Picture, Preserve } from "../../src/index.ts";
import { joinInstructions } from "../../src/index.ts";
import { changeMask, decibelsOf, type Mask, MOST_DECIBELS, outside } from "../measures.ts";
import type { Scene } from "../set.ts";

export const NUM_TURNS = 10;

interface WayOfEditing {
  preserve: Preserve;
  /** Of the original with all instructions, instead of the result before it. */
  isFromOriginal: boolean;
  /** Whether the edit is told by a mask what may change; otherwise the network decides. */
  isMasked: boolean;
}

/** How each turn is made. */
export const WAYS = {
  off: { preserve: "off", isFromOriginal: false, isMasked: false },
  exact: { preserve: "exact", isFromOriginal: false, isMasked: false },
  auto: { preserve: "auto", isFromOriginal: false, isMasked: false },
  original: { preserve: "off", isFromOriginal: true, isMasked: false },
  originalAuto: { preserve: "auto", isFromOriginal: true, isMasked: false },
  masked: { preserve: "off", isFromOriginal: false, isMasked: true },
  maskedExact: { preserve: "exact", isFromOriginal: false, isMasked: true },
  maskedAuto: { preserve: "auto", isFromOriginal: false, isMasked: true },
} as const satisfies Record<string, WayOfEditing>;
export type Way = keyof typeof WAYS;
export const WAY_NAMES = Object.keys(WAYS) as readonly Way[];

/** Those of the scenes (`training/scenes/words.py`). */
const COLOURS = [
  "red",
  "orange",
  "yellow",
  "green",
  "turquoise",
  "blue",
  "purple",
  "pink",
  "brown",
  "black",
  "white",
  "grey",
];
const COLOUR = new RegExp(`\\b(?:${COLOURS.join("|")})\\b`, "i");

/** The same instruction for each turn, with another colour: all of them change the same object. */
export function instructionsOf(scene: Pick<Scene, "kind" | "instruction">): string[] | undefined {
  const found = COLOUR.exec(scene.instruction)?.[0].toLowerCase();
  if (scene.kind !== "recolour" || found === undefined) return undefined;
  const first = COLOURS.indexOf(found);
  // Five places on, neighbours in time differ as much as they can, and ten turns have ten colours.
  return Array.from({ length: NUM_TURNS }, (_, turn) =>
    scene.instruction.replace(COLOUR, COLOURS[(first + 5 * turn) % COLOURS.length]!),
  );
}

/**
 * What no turn should change: all that is farther than `margin` pixels from what the scene's truth changes.
 * @returns undefined where that is less than half of the picture
 */
export function keptMask(source: Picture, truth: Picture, margin: number): Mask | undefined {
  const { width, height } = source;
  const changed = changeMask(source, truth);
  const wide = new Uint8Array(changed.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (changed[y * width + x] === 0) continue;
      for (let row = Math.max(y - margin, 0); row <= Math.min(y + margin, height - 1); row++) {
        wide.fill(
          1,
          row * width + Math.max(x - margin, 0),
          row * width + Math.min(x + margin, width - 1) + 1,
        );
      }
    }
  }
  const kept = outside(wide);
  return 2 * kept.reduce((sum, mark) => sum + mark, 0) < kept.length ? undefined : kept;
}

export interface Order {
  prompt: string;
  preserve: Preserve;
  seed: number;
  /** Where the edit may change something; all of the picture without it. */
  region: Mask | undefined;
}

export interface Made {
  picture: Picture;
  notices: readonly string[];
  /** How each pixel was put together: 255 copied, 128 carried over, 0 drawn, and in between; absent without `preserve`. */
  map?: Uint8Array | undefined;
}

/** What became of a pixel in all turns so far: the most that any of them did to it. */
export const PARTS = ["copied", "carried", "drawn"] as const;
export type Part = (typeof PARTS)[number];

/** Pixels of what should stay that share one fate. */
export interface PartMeasured {
  pixels: number;
  /** Sum of the squared differences to the original, of all channels. */
  squares: number;
}

/** One turn: decibels of what should stay to the original, at most 60; and whether its instruction was cut. */
export interface TurnMeasured {
  decibels: number;
  isCut: boolean;
  /** By what the results themselves reported; absent without `preserve`. */
  parts?: Readonly<Record<Part, PartMeasured>> | undefined;
}

/** The turns of one picture in each way that was measured. */
export type MeasuredPicture = Partial<Record<Way, readonly TurnMeasured[]>>;

/** Makes all turns of one picture in one way. */
export async function measureTurns(
  edit: (picture: Picture, order: Order) => Promise<Made>,
  {
    source,
    kept,
    instructions,
    seed,
  }: { source: Picture; kept: Mask; instructions: readonly string[]; seed: number },
  way: Way,
): Promise<TurnMeasured[]> {
  const { preserve, isFromOriginal, isMasked } = WAYS[way];
  const region = isMasked ? outside(kept) : undefined;
  const turns: TurnMeasured[] = [];
  let before = source;
  let worst: Uint8Array | undefined;
  for (const [turn, instruction] of instructions.entries()) {
    const prompt = isFromOriginal ? joinInstructions(instructions.slice(0, turn + 1)) : instruction;
    const { picture, notices, map } = await edit(isFromOriginal ? source : before, {
      prompt,
      preserve,
      seed: seed + turn,
      region,
    });
    before = picture;
    // An edit of the original has no turns before it.
    const earlier = isFromOriginal ? undefined : worst;
    worst = map?.map((value, pixel) => Math.min(value, earlier?.[pixel] ?? 255));
    turns.push({
      decibels: decibelsOf(picture, source, kept)!,
      isCut: notices.some((notice) => notice.startsWith("The prompt is longer than")),
      parts: worst && partsOf(picture, source, kept, worst),
    });
  }
  return turns;
}

const CHANNELS = 3;

/** @param worst the lowest value that the map of any turn has, by pixel */
function partsOf(
  { data }: Picture,
  source: Picture,
  kept: Mask,
  worst: Uint8Array,
): Record<Part, PartMeasured> {
  const parts = Object.fromEntries(PARTS.map((part) => [part, { pixels: 0, squares: 0 }])) as Record<
    Part,
    PartMeasured
  >;
  for (const [pixel, value] of worst.entries()) {
    if (kept[pixel] === 0) continue;
    const part = parts[value === 255 ? "copied" : value >= 128 ? "carried" : "drawn"];
    part.pixels += 1;
    for (let i = CHANNELS * pixel; i < CHANNELS * (pixel + 1); i += 1) {
      part.squares += (data[i]! - source.data[i]!) ** 2;
    }
  }
  return parts;
}

/** Of the ways that were measured. */
export type PerWay = Partial<Record<Way, number>>;

/** One part of what should stay, over all pictures. */
export interface PartSummary {
  /** Of what should stay, and of all squared differences in it, 0 to 1. */
  share: number;
  lossShare: number;
  /** To the original, at most 60; null where it has no pixel. */
  decibels: number | null;
}

export interface TurnSummary {
  turn: number;
  /** What should stay, by what the results reported. */
  parts: Partial<Record<Way, Record<Part, PartSummary>>>;
  /** Mean over the pictures, and the least. */
  mean: PerWay;
  least: PerWay;
  /** Pictures whose joined instruction was cut. */
  cut: number;
}

/** Turn by turn, and how far each way falls from the first turn to the last, for the picture that falls most. */
export function summarize(pictures: readonly MeasuredPicture[]): {
  turns: TurnSummary[];
  greatestFall: PerWay;
} {
  const ways = WAY_NAMES.filter((way) => pictures.every((picture) => picture[way] !== undefined));
  const perWay = (valueOf: (way: Way) => number): PerWay =>
    Object.fromEntries(ways.map((way) => [way, Number(valueOf(way).toFixed(2))]));
  const turns = Array.from({ length: NUM_TURNS }, (_, place): TurnSummary => {
    const decibels = (way: Way): number[] => pictures.map((picture) => picture[way]![place]!.decibels);
    const parts = ways.flatMap((way) => {
      const all = pictures.flatMap((picture) => picture[way]![place]!.parts ?? []);
      return all.length === pictures.length ? [[way, summaryOfParts(all)] as const] : [];
    });
    return {
      turn: place + 1,
      parts: Object.fromEntries(parts),
      mean: perWay((way) => decibels(way).reduce((sum, one) => sum + one, 0) / pictures.length),
      least: perWay((way) => Math.min(...decibels(way))),
      cut: pictures.filter(({ original }) => original?.[place]?.isCut).length,
    };
  });
  const greatestFall = perWay((way) =>
    Math.max(...pictures.map((picture) => picture[way]![0]!.decibels - picture[way]!.at(-1)!.decibels)),
  );
  return { turns, greatestFall };
}

function summaryOfParts(all: readonly Record<Part, PartMeasured>[]): Record<Part, PartSummary> {
  const sum = (parts: readonly Part[], field: keyof PartMeasured): number =>
    all.reduce((total, one) => total + parts.reduce((inner, part) => inner + one[part][field], 0), 0);
  const [pixels, squares] = [sum(PARTS, "pixels"), sum(PARTS, "squares")];
  const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
  const summaries = PARTS.map((part): [Part, PartSummary] => {
    const [own, loss] = [sum([part], "pixels"), sum([part], "squares")];
    const decibels = Math.min(MOST_DECIBELS, 10 * Math.log10((255 ** 2 * CHANNELS * own) / loss));
    return [
      part,
      {
        share: rounded(own / pixels, 4),
        lossShare: squares === 0 ? 0 : rounded(loss / squares, 4),
        decibels: own === 0 ? null : rounded(decibels, 2),
      },
    ];
  });
  return Object.fromEntries(summaries) as Record<Part, PartSummary>;
}
