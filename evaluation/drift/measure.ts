/** How far what should stay drifts away while one picture is edited again and again, on edits whose region is known. */
import type { Picture, Preserve } from "../../src/index.ts";
import { joinInstructions } from "../../src/index.ts";
import { changeMask, decibelsOf, type Mask, outside } from "../measures.ts";
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
}

/** One turn: decibels of what should stay to the original, at most 60; and whether its instruction was cut. */
export interface TurnMeasured {
  decibels: number;
  isCut: boolean;
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
  for (const [turn, instruction] of instructions.entries()) {
    const prompt = isFromOriginal ? joinInstructions(instructions.slice(0, turn + 1)) : instruction;
    const { picture, notices } = await edit(isFromOriginal ? source : before, {
      prompt,
      preserve,
      seed: seed + turn,
      region,
    });
    before = picture;
    turns.push({
      decibels: decibelsOf(picture, source, kept)!,
      isCut: notices.some((notice) => notice.startsWith("The prompt is longer than")),
    });
  }
  return turns;
}

/** Of the ways that were measured. */
export type PerWay = Partial<Record<Way, number>>;

export interface TurnSummary {
  turn: number;
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
    return {
      turn: place + 1,
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
