import { describe, expect, it } from "vitest";
import {
  instructionsOf,
  keptMask,
  type Made,
  measureTurns,
  NUM_TURNS,
  summarize,
  type Order,
  type TurnMeasured,
  type Way,
  WAY_NAMES,
} from "../../evaluation/drift/measure.ts";
import type { Picture } from "../../src/index.ts";

const picture = (value: (x: number, y: number) => number, side = 8): Picture => ({
  width: side,
  height: side,
  data: Uint8Array.from({ length: 3 * side * side }, (_, i) =>
    value(Math.floor(i / 3) % side, Math.floor(i / 3 / side)),
  ),
});

describe("the instructions of the turns", () => {
  it("change one object to ten colours, the first of them the scene's own", () => {
    const instructions = instructionsOf({ kind: "recolour", instruction: "Turn the telephone white" })!;
    expect(instructions[0]).toBe("Turn the telephone white");
    expect(new Set(instructions).size).toBe(NUM_TURNS);
    for (const one of instructions) expect(one).toMatch(/^Turn the telephone [a-z]+$/);
  });

  it("are none where the scene changes something else, or names no colour", () => {
    expect(instructionsOf({ kind: "add", instruction: "Add a red hat" })).toBeUndefined();
    expect(instructionsOf({ kind: "recolour", instruction: "I want a whie harp" })).toBeUndefined();
  });
});

describe("what should stay", () => {
  it("is all that is farther from the edit than the margin", () => {
    const kept = keptMask(
      picture(() => 100),
      picture((x, y) => (x === 0 && y === 7 ? 200 : 100)),
      2,
    )!;
    const changed = [...kept.keys()].filter((place) => kept[place] === 0);
    expect(changed).toEqual([40, 41, 42, 48, 49, 50, 56, 57, 58]);
  });

  it("is too little where it is less than half", () => {
    expect(
      keptMask(
        picture(() => 100),
        picture((x) => (x < 3 ? 200 : 100)),
        1,
      ),
    ).not.toBeUndefined();
    expect(
      keptMask(
        picture(() => 100),
        picture((x) => (x < 3 ? 200 : 100)),
        2,
      ),
    ).toBeUndefined();
  });
});

describe("turns", () => {
  const kept = new Uint8Array(64).fill(1);
  const turnsOf = async (way: Way) => {
    const orders: (Order & { from: number })[] = [];
    const turns = await measureTurns(
      async ({ data }, order) => {
        orders.push({ ...order, from: data[0]! });
        // Each edit makes its picture a level brighter.
        const notices = order.prompt.length > 9 ? ["The prompt is longer than the 24 tokens."] : [];
        return { picture: picture(() => data[0]! + 1), notices };
      },
      { source: picture(() => 100), kept, instructions: ["one.", "two", "three"], seed: 5 },
      way,
    );
    return { turns, orders };
  };

  it("are each made of the one before, or of the original with all instructions", async () => {
    const { turns, orders } = await turnsOf("exact");
    expect(orders).toEqual([
      { prompt: "one.", preserve: "exact", seed: 5, region: undefined, from: 100 },
      { prompt: "two", preserve: "exact", seed: 6, region: undefined, from: 101 },
      { prompt: "three", preserve: "exact", seed: 7, region: undefined, from: 102 },
    ]);
    expect(turns.map(({ decibels }) => decibels.toFixed(2))).toEqual(["48.13", "42.11", "38.59"]);
    const whole = await turnsOf("originalAuto");
    expect(whole.orders).toEqual([
      { prompt: "one.", preserve: "auto", seed: 5, region: undefined, from: 100 },
      { prompt: "one, then two", preserve: "auto", seed: 6, region: undefined, from: 100 },
      { prompt: "one, then two, then three", preserve: "auto", seed: 7, region: undefined, from: 100 },
    ]);
    expect(whole.turns.map(({ decibels, isCut }) => [decibels.toFixed(2), isCut])).toEqual([
      ["48.13", false],
      ["48.13", true],
      ["48.13", true],
    ]);
  });

  it("are told where they may change something, if they have a mask", async () => {
    const { orders } = await turnsOf("maskedAuto");
    expect(orders.map(({ preserve, region }) => [preserve, region])).toEqual(
      Array.from({ length: 3 }, () => ["auto", new Uint8Array(64)]),
    );
  });

  it("tell what of the drift the results reported as copied, as carried over and as drawn, by the worst turn", async () => {
    // The first pixel is drawn in turn 1, the second one carried over in turn 2, the last one drawn and not to be kept.
    const maps = [
      [0, 255, 255, 0],
      [255, 130, 255, 255],
    ];
    const source = picture(() => 100, 2);
    const [own, count] = [Uint8Array.of(1, 1, 1, 0), [...maps]];
    const made = async ({ data }: Picture): Promise<Made> => {
      const map = Uint8Array.from(count.shift()!);
      const next = data.map((value, i) => value + (map[Math.floor(i / 3)] === 255 ? 0 : 10));
      return { picture: { ...source, data: next }, notices: [], map };
    };
    const order = { source, kept: own, instructions: ["one", "two"], seed: 5 };
    const turns = await measureTurns(made, order, "auto");
    const none = { pixels: 0, squares: 0 };
    expect(turns.map(({ parts }) => parts)).toEqual([
      { copied: { pixels: 2, squares: 0 }, carried: none, drawn: { pixels: 1, squares: 300 } },
      {
        copied: { pixels: 1, squares: 0 },
        carried: { pixels: 1, squares: 300 },
        drawn: { pixels: 1, squares: 300 },
      },
    ]);
    // An edit of the original has only its own turn.
    count.push(...maps);
    const fresh = await measureTurns(made, order, "originalAuto");
    expect(fresh[1]!.parts).toEqual({
      copied: { pixels: 2, squares: 0 },
      carried: { pixels: 1, squares: 300 },
      drawn: none,
    });
    const { turns: summed } = summarize([{ auto: Array.from({ length: NUM_TURNS }, () => turns[1]!) }]);
    expect(summed[0]!.parts).toEqual({
      auto: {
        copied: { share: 0.3333, lossShare: 0, decibels: 60 },
        carried: { share: 0.3333, lossShare: 0.5, decibels: 28.13 },
        drawn: { share: 0.3333, lossShare: 0.5, decibels: 28.13 },
      },
    });
  });

  it("are summed up by their mean, their least and the greatest fall", () => {
    const falling = (start: number, step: number): Record<Way, TurnMeasured[]> =>
      Object.fromEntries(
        WAY_NAMES.map((way) => [
          way,
          Array.from({ length: NUM_TURNS }, (_, turn) => ({
            decibels: start - step * turn,
            isCut: turn > 7,
          })),
        ]),
      ) as Record<Way, TurnMeasured[]>;
    const { turns, greatestFall } = summarize([falling(40, 0.1), falling(30, 1)]);
    expect(greatestFall.auto).toBe(9);
    expect(turns[0]).toMatchObject({ turn: 1, mean: { off: 35 }, least: { off: 30 }, cut: 0 });
    expect(turns.at(-1)).toMatchObject({ turn: 10, mean: { off: 30.05 }, least: { off: 21 }, cut: 2 });
  });
});
