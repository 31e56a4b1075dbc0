/** Edits of edits in a batch, with an engine without networks: a result says what it was asked for. */
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runBatchFile, runEditEach } from "../../../src/cli/batch/commands.ts";
import { createHistory } from "../../../src/cli/history.ts";
import { type createEngine, RetouchError } from "../../../src/index.ts";
import { sha256 } from "../../../src/sha256.ts";
import { gradient, sharpOf } from "../../images/samples.ts";
import { temporaryFolder } from "../../support/temporary.ts";

type Open = typeof createEngine;

let folder: string;
let said: string;
/** What each edit saw, by its prompt: SHA-256 of its pictures. */
let seen: Map<string, string[]>;
let bird: Buffer;

const at = (...names: string[]): string => path.join(folder, ...names);
const outputOf = (name: string): Promise<Buffer> => readFile(at("out", name));
const history = () => createHistory(at("cache", "history.jsonl"));
/** A picture that says which edit made it. */
const drawn = (prompt: string, seed: number): Promise<Buffer> =>
  sharpOf({
    ...gradient(8, 6),
    data: gradient(8, 6).data.map((value, index) => value ^ (prompt.length + seed + index)),
  })
    .png()
    .toBuffer();

beforeEach(async () => {
  folder = await temporaryFolder();
  vi.stubEnv("RETOUCH_CACHE_DIR", at("cache"));
  vi.stubEnv("RETOUCH_HISTORY", "");
  bird = await sharpOf(gradient(8, 6)).png().toBuffer();
  await writeFile(at("bird.png"), bird);
  [said, seen] = ["", new Map()];
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text, done?: unknown) => {
      said += String(text);
      if (typeof done === "function") (done as () => void)();
      return true;
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const open = async (fails: string | undefined) => ({
  checkpoint: { name: "stub", isDemo: false },
  device: { name: "cpu", reason: "stub", notices: [] },
  async edit({
    prompt,
    seed,
    image,
    format,
  }: {
    prompt: string;
    seed: number;
    image: Buffer[];
    format: string;
  }) {
    if (prompt === fails) throw new RetouchError("RUNTIME_FAILED", "It broke.");
    seen.set(prompt, [image].flat().map(sha256));
    return {
      image: await drawn(prompt, seed),
      width: 8,
      height: 6,
      format,
      notices: [],
      seconds: { total: 0.01, denoise: 0.01 },
    };
  },
  async close() {},
});

async function batch(
  lines: readonly object[],
  flags: object = {},
  fails?: string,
): Promise<string | undefined> {
  await writeFile(at("jobs.jsonl"), lines.map((line) => JSON.stringify(line)).join("\n"));
  const options = { open: (() => open(fails)) as unknown as Open };
  try {
    await runBatchFile(
      at("jobs.jsonl"),
      { output: at("out"), ...flags },
      AbortSignal.timeout(60_000),
      options,
    );
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const night = { image: "bird.png", prompt: "Make it night.", seed: 5, output: "night.png" };
const snow = { parent: "night.png", prompt: "Add snow", seed: 6, output: "snow.png" };
const JOINED = "Make it night, then Add snow";

describe("a line with a parent", () => {
  it("edits what a line before it has made, once, and again where that was made again", async () => {
    expect(await batch([night, snow])).toBeUndefined();
    expect(seen.get("Add snow")).toEqual([sha256(await outputOf("night.png"))]);
    expect(await outputOf("retouch-batch.csv").then(String)).toContain('\n"night.png",');

    seen.clear();
    expect(await batch([night, snow])).toBeUndefined();
    expect(seen.size).toBe(0);
    // Another parent makes another edit.
    await rm(at("out", "snow.png"));
    expect(
      await batch([
        { ...night, seed: 7, output: "other.png" },
        { ...snow, parent: "other.png" },
      ]),
    ).toBeUndefined();
    expect(seen.get("Add snow")).toEqual([sha256(await outputOf("other.png"))]);
  });

  it("names one of several results, looks at further images, and has a name after its parent", async () => {
    const both = { image: "bird.png", prompt: "Make it day", seed: 1, num_images: 2, output: "day.png" };
    expect(await batch([both, { parent: "day.png", parent_image: 1, prompt: "Add rain" }])).toBeUndefined();
    expect(seen.get("Add rain")).toEqual([sha256(await outputOf("day-2.png"))]);
    expect(await outputOf("day.edited.png")).toBeDefined();
  });

  it.each<[string, object, string]>([
    [
      "no such line",
      { parent: "other.png" },
      "parent: no earlier line that can be made has the output other.png.",
    ],
    ["itself", { parent: "snow.png" }, "parent: no earlier line that can be made has the output snow.png."],
    ["no such result", { parent_image: 1 }, "parent_image: that line has one result, counted from 0."],
    ["a result beyond all", { parent_image: 8 }, "parent_image must be a whole number from 0 to 7, not 8."],
    ["no text", { parent: 3 }, "parent must be the output of a line before this one."],
    ["an image as well", { image: "bird.png" }, "parent and image must not be given together."],
    ["half a truth", { from_original: "yes" }, "from_original must be true or false."],
    ["too many images", { images: ["bird.png"] }, "Line 2: image must be one image, not 2, "],
  ])("is refused in one sentence where it names %s", async (_, changes, sentence) => {
    expect(await batch([night, { ...snow, ...changes }])).toMatch(/^1 of 2 edits failed/);
    expect(said).toContain(sentence.startsWith("Line") ? sentence : `Line 2: ${sentence}\n`);
    expect([...seen.keys()]).toEqual(["Make it night."]);
  });

  it("is refused where only a parent's image is named", async () => {
    expect(await batch([{ ...night, parent_image: 0 }])).toMatch(/^1 of 1 edits failed/);
    expect(said).toContain("Line 1: parent_image must not be given without parent.\n");
  });

  it("fails in one sentence where its parent fails or was changed, and is made later", async () => {
    expect(await batch([night, snow], {}, "Make it night.")).toMatch(/^2 of 2 edits failed/);
    expect(said).toContain("Line 2: parent: night.png was not made.\n");
    expect(await batch([night, snow])).toBeUndefined();

    await rm(at("out", "snow.png"));
    await writeFile(at("out", "night.png"), bird);
    expect(await batch([night, snow])).toMatch(/^1 of 2 edits failed/);
    expect(said).toContain("Line 2: parent: night.png has been changed since it was made.\n");
  });
});

describe("a batch with --history", () => {
  it("remembers its results with their pictures, and offers the original", async () => {
    expect(await batch([night, snow], { history: true })).toBeUndefined();
    const chain = await history().chainOf(sha256(await outputOf("snow.png")));
    expect(chain).toMatchObject([
      { prompt: "Add snow", source: sha256(await outputOf("night.png")), place: at("out", "night.png") },
      { prompt: "Make it night.", source: sha256(bird), place: at("bird.png"), hasMask: false, numImages: 1 },
    ]);
    expect(said).toContain("with from_original it is made from the original, by the instructions of all 2.");
  });

  it("remembers nothing without it", async () => {
    await batch([night]);
    expect(await history().chainOf(sha256(await outputOf("night.png")))).toEqual([]);
    vi.stubEnv("RETOUCH_HISTORY", "true");
    await batch([{ ...night, output: "again.png" }]);
    expect(await history().chainOf(sha256(await outputOf("again.png")))).toHaveLength(1);
  });
});

describe("a line with from_original", () => {
  it("edits the first picture by all instructions, of lines before it, whether they are remembered or not", async () => {
    expect(await batch([night, { ...snow, from_original: true }])).toBeUndefined();
    expect(seen.get(JOINED)).toEqual([sha256(bird)]);
    seen.clear();
    expect(await batch([night, { ...snow, from_original: true }])).toBeUndefined();
    expect(seen.size).toBe(0);
    // The original of such a result is the same one.
    const third = { parent: "snow.png", prompt: "Remove the car", from_original: true, output: "third.png" };
    expect(await batch([night, { ...snow, from_original: true }, third])).toBeUndefined();
    expect(seen.get(`${JOINED}, then Remove the car`)).toEqual([sha256(bird)]);
  });

  it("edits the original of what an earlier batch has made, by its bytes alone", async () => {
    await batch([night], { history: true });
    await writeFile(at("copy.png"), await outputOf("night.png"));
    const line = { image: "copy.png", prompt: "Add snow", output: "snow.png" };
    expect(await batch([line], { history: true, fromOriginal: true })).toBeUndefined();
    expect(seen.get(JOINED)).toEqual([sha256(bird)]);
    const chain = await history().chainOf(sha256(await outputOf("snow.png")));
    expect(chain).toMatchObject([{ prompt: JOINED, place: at("bird.png") }]);
    // A line may say otherwise.
    await batch([{ ...line, from_original: false, output: "plain.png" }], {
      history: true,
      fromOriginal: true,
    });
    expect(seen.get("Add snow")).toEqual([sha256(await readFile(at("copy.png")))]);
  });

  it.each<[string, object[], string]>([
    [
      "is not known",
      [{ ...night, from_original: true }],
      "the image is not a result that was remembered here; RETOUCH_HISTORY=true remembers results.",
    ],
    [
      "was edited with a mask",
      [
        { ...night, mask: "mask.png" },
        { ...snow, from_original: true },
      ],
      "edit 1 of the picture was made with a mask, which cannot be used again.",
    ],
    [
      "has too many instructions",
      [
        { ...night, prompt: "n".repeat(2000) },
        { ...snow, prompt: "s".repeat(2000), from_original: true },
      ],
      "the instructions of all edits have 4,007 characters together, and a prompt at most 4,000.",
    ],
  ])("is refused in one sentence where the picture %s", async (_, lines, sentence) => {
    const white = { width: 8, height: 6, data: new Uint8Array(8 * 6 * 3).fill(255) };
    await writeFile(at("mask.png"), await sharpOf(white).png().toBuffer());
    await batch(lines, { history: true });
    expect(said).toContain(`Line ${lines.length}: from_original: ${sentence}`);
  });
});

describe("edits of a folder", () => {
  it("are remembered and made from the original as one edit is", async () => {
    const each = (images: string[], prompt: string, flags: object): Promise<void> =>
      runEditEach(images, prompt, { output: at("out"), seed: 5, ...flags }, AbortSignal.timeout(60_000), {
        open: (() => open(undefined)) as unknown as Open,
      });
    await each([at("bird.png")], "Make it night.", { history: true });
    await each([at("out", "bird.edited.png")], "Add snow", {
      output: at("more"),
      history: true,
      fromOriginal: true,
    });
    expect(seen.get(JOINED)).toEqual([sha256(bird)]);
    await expect(
      each([at("bird.png")], "Add snow", { output: at("third"), history: true, fromOriginal: true }),
    ).rejects.toThrow("1 of 1 edits failed");
    expect(said).toContain(
      "--from-original: the image is not a result that was remembered here; RETOUCH_HISTORY=true remembers results.",
    );
  });
});
