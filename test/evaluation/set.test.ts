import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { openSet, parseSceneList } from "../../evaluation/set.ts";
import { writeEvaluationSet } from "../support/evaluation-set.ts";
import { temporaryFolder } from "../support/temporary.ts";

describe("the list of scenes", () => {
  const scene = { id: 0, kind: "place", width: 8, height: 8, instruction: "Go", seed: 0, probe: true };
  const steps = Array.from({ length: 5 }, () => ({ kind: "place", instruction: "Go" }));
  const list = { side: 8, scenes: [scene], chains: [{ id: 0, width: 8, height: 8, steps }] };
  const parse = (value: unknown) => parseSceneList(JSON.stringify(value), "scenes.json");

  it("takes a list as it is", () => {
    expect(parse(list)).toEqual(list);
  });

  it.each([
    [[], "In scenes.json, its top is not an object."],
    [{ side: 8 }, "In scenes.json, scenes of its top must be a list, and is missing."],
    [{ ...list, scenes: [] }, "scenes.json lists no scenes."],
    [
      { ...list, scenes: [{ ...scene, width: 0 }] },
      "In scenes.json, width of scenes[0] must be a whole number above 0, and is 0.",
    ],
    [{ ...list, scenes: [{ ...scene, id: 3 }] }, "In scenes.json, id of scenes[0] must be 0, and is 3."],
    [
      { ...list, scenes: [{ ...scene, instruction: " " }] },
      'In scenes.json, instruction of scenes[0] must be a string, and is " ".',
    ],
    [
      { ...list, chains: [{ ...list.chains[0], steps: steps.slice(1) }] },
      "In scenes.json, chains[0] has 4 steps instead of 5.",
    ],
  ])("refuses %j", (value, sentence) => {
    expect(() => parse(value)).toThrow(sentence);
  });
});

describe("the set on disk", () => {
  async function writtenSet(): Promise<string> {
    const folder = await temporaryFolder();
    await writeEvaluationSet(folder);
    return folder;
  }

  it("takes the pictures and the nine tiles of a scene apart", async () => {
    const set = await openSet(await writtenSet());
    const [first, second] = set.scenes;
    const { source, truth, candidates } = await set.scene(first!);
    const middle = 3 * (32 * 64 + 32);
    expect([source.width, source.height]).toEqual([64, 64]);
    expect([...source.data.subarray(middle, middle + 3)]).toEqual([210, 40, 50]);
    expect([...truth.data.subarray(middle, middle + 3)]).toEqual([40, 150, 70]);
    expect([...truth.data.subarray(0, 3)]).toEqual([120, 170, 220]);
    const centre = 3 * (16 * 32 + 16);
    expect(candidates.map((tile) => [...tile.subarray(centre, centre + 3)]).slice(0, 2)).toEqual([
      [240, 210, 60],
      [130, 60, 160],
    ]);
    expect(candidates.map(({ length }) => length)).toEqual(Array.from({ length: 9 }, () => 32 * 32 * 3));
    expect((await set.scene(second!)).truth).toMatchObject({ width: 74, height: 55 });
    expect((await set.chain(set.chains[0]!)).truths.map(({ height }) => height)).toEqual([
      64, 64, 64, 64, 64,
    ]);
  });

  it("has a digest of every file", async () => {
    const folder = await writtenSet();
    const { digest } = await openSet(folder);
    expect((await openSet(folder)).digest).toBe(digest);
    const file = path.join(folder, "scenes.json");
    await writeFile(file, `${JSON.stringify(await writeEvaluationSet(folder))}\n`);
    expect((await openSet(folder)).digest).not.toBe(digest);
  });

  it("names the file that is missing, broken or of another size", async () => {
    const folder = await writtenSet();
    const write = (name: string, bytes: string | Uint8Array) => writeFile(path.join(folder, name), bytes);
    const opened = () => openSet(folder);

    const picture = sharp({ create: { width: 288, height: 64, channels: 3, background: "red" } });
    await write("candidates.webp", await picture.webp().toBuffer());
    await expect(opened()).rejects.toThrow(
      `${path.join(folder, "candidates.webp")} has 288 x 64 pixels; 288 x 96 are wanted.`,
    );
    await rm(path.join(folder, "chains", "0.webp"));
    await expect(opened()).rejects.toThrow(
      `The evaluation set's file ${path.join(folder, "chains", "0.webp")} does not exist.`,
    );
    await write("scenes/001.webp", await picture.webp().toBuffer());
    await expect(opened()).rejects.toThrow("001.webp has 288 x 64 pixels; 74 x 110 are wanted.");
    await write("scenes/001.webp", "text");
    await expect(opened()).rejects.toThrow(/001\.webp is not an image: /);
    await write("scenes.json", "{");
    await expect(opened()).rejects.toThrow("scenes.json is not valid JSON.");
    await expect(openSet(path.join(folder, "none"))).rejects.toThrow("none/scenes.json does not exist.");
  });
});
