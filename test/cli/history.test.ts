import { appendFile, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { readHistoryFile } from "../../src/config/cache-settings.ts";
import { placeOf, startingPoint, type Wanted } from "../../src/cli/from-original.ts";
import {
  createHistory,
  type History,
  MAX_HISTORY_BYTES,
  type RememberedEdit,
} from "../../src/cli/history.ts";
import { RetouchError } from "../../src/errors.ts";
import { refusal } from "../support/refusal.ts";
import { sha256 } from "../../src/sha256.ts";
import { temporaryFolder } from "../support/temporary.ts";

const bytesOf = (name: string): Uint8Array => Buffer.from(name);
const digest = (name: string): string => sha256(bytesOf(name));
const edit = (
  result: string,
  source: string | undefined,
  changes: Partial<RememberedEdit> = {},
): RememberedEdit => ({
  result: digest(result),
  source: source === undefined ? undefined : digest(source),
  place: source === undefined ? undefined : `/pictures/${source}`,
  prompt: `make ${result}`,
  hasMask: false,
  numImages: 1,
  ...changes,
});

let file: string;
let history: History;
beforeEach(async () => {
  file = path.join(await temporaryFolder(), "cache", "history.jsonl");
  history = createHistory(file);
});

describe("the history of the command", () => {
  it("leads from a result back to the first picture, in another process, too", async () => {
    await history.add([edit("b", "a")]);
    await history.add([edit("c", "b"), edit("c2", "b")]);
    const chain = await createHistory(file).chainOf(digest("c"));
    expect(chain.map(({ prompt }) => prompt)).toEqual(["make c", "make b"]);
    expect(chain.at(-1)).toEqual(edit("b", "a"));
    expect(await history.chainOf(digest("a"))).toEqual([]);
  });

  it("is for its user alone", async () => {
    await history.add([edit("b", "a")]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("takes the latest of equal results, and does not go round", async () => {
    await history.add([edit("b", "c"), edit("c", "b"), edit("b", "a")]);
    expect(await history.chainOf(digest("c"))).toHaveLength(2);
    await history.add([edit("b", "c")]);
    expect(await history.chainOf(digest("c"))).toHaveLength(2);
  });

  it("passes over what is no line of it", async () => {
    await history.add([edit("b", "a")]);
    const wrong = [
      { result: 7 },
      { ...edit("b", "a"), prompt: 7 },
      { ...edit("b", "a"), source: "../a" },
      null,
      [],
    ];
    await appendFile(file, `{"result":\n\0\n${wrong.map((line) => JSON.stringify(line)).join("\n")}\n`);
    await history.add([edit("c", "b")]);
    expect(await history.chainOf(digest("c"))).toHaveLength(2);
  });

  it("forgets the older half where it grows too long", async () => {
    const filling = Array.from({ length: 1000 }, (_, index) =>
      edit(`r${index}`, `s${index}`, { prompt: "x".repeat(1000) }),
    );
    await history.add(filling);
    const { size } = await stat(file);
    expect(size).toBeLessThan(MAX_HISTORY_BYTES);
    expect(await history.chainOf(digest("r0"))).toEqual([]);
    expect(await history.chainOf(digest("r999"))).toHaveLength(1);
    expect((await readFile(file, "utf8")).startsWith('{"result"')).toBe(true);
  });

  it("remembers nothing, and costs no edit, where it is off or cannot be written", async () => {
    const off = createHistory(undefined);
    await off.add([edit("b", "a")]);
    expect(await off.chainOf(digest("b"))).toEqual([]);
    const taken = path.join(await temporaryFolder(), "taken");
    await writeFile(taken, "");
    const unwritable = createHistory(path.join(taken, "history.jsonl"));
    await unwritable.add([edit("b", "a")]);
    expect(await unwritable.chainOf(digest("b"))).toEqual([]);
  });

  it.each<[Record<string, string>, boolean, string | undefined]>([
    [{}, false, undefined],
    [{ RETOUCH_HISTORY: "" }, false, undefined],
    [{ RETOUCH_HISTORY: "false" }, true, "/cache/history.jsonl"],
    [{ RETOUCH_HISTORY: "true" }, false, "/cache/history.jsonl"],
  ])("is on where it is asked for: %j, %j", (environment, isAsked, wanted) => {
    expect(readHistoryFile({ RETOUCH_CACHE_DIR: "/cache", ...environment }, isAsked)).toBe(wanted);
  });

  it("is neither on nor off by another word", () => {
    expect(() => readHistoryFile({ RETOUCH_HISTORY: "yes" })).toThrow(
      'RETOUCH_HISTORY must be true or false, not "yes".',
    );
  });
});

describe("where an edit starts", () => {
  const files = new Map([["/pictures/a", bytesOf("a")]]);
  const wanted = (name: string, changes: Partial<Wanted> = {}): Wanted => ({
    picture: { bytes: bytesOf(name), name },
    place: `/pictures/${name}`,
    prompt: "add snow",
    isFromOriginal: false,
    name: "--from-original",
    async read(place) {
      const bytes = files.get(place);
      if (bytes === undefined) throw new RetouchError("IMAGE_UNREADABLE", `${place} cannot be read.`);
      return { bytes, name: place };
    },
    ...changes,
  });
  const whole = (name: string, changes: Partial<Wanted> = {}) =>
    startingPoint(history, wanted(name, { isFromOriginal: true, ...changes }));
  const about = (sentence: string) => refusal("INVALID_PARAMETER", `fromOriginal: ${sentence}`);

  it("is the picture as it is, with an offer where that is a result whose original is there", async () => {
    expect(await startingPoint(history, wanted("b"))).toMatchObject({ place: "/pictures/b", notices: [] });
    await history.add([edit("b", "a")]);
    expect(await startingPoint(history, wanted("b"))).toMatchObject({
      picture: { bytes: bytesOf("b") },
      prompt: "add snow",
      notices: [
        "This is edit 2 in a row of one picture; with --from-original it is made from the original, by the instructions of all 2.",
      ],
    });
    await history.add([edit("c", "gone")]);
    expect(await startingPoint(history, wanted("c"))).toMatchObject({ notices: [] });
  });

  it("is the original with all instructions, where that is asked for", async () => {
    await history.add([edit("b", "a"), edit("c", "b", { prompt2: "t5" })]);
    expect(await whole("c")).toEqual({
      picture: { bytes: bytesOf("a"), name: "/pictures/a" },
      place: "/pictures/a",
      prompt: "make b, then make c, then add snow",
      prompt2: "make b, then t5, then add snow",
      notices: [],
    });
  });

  it.each<[string, RememberedEdit[], string]>([
    ["b", [], "the image is not a result that was remembered here; RETOUCH_HISTORY=true remembers results."],
    [
      "b",
      [edit("b", "a", { hasMask: true })],
      "edit 1 of the picture was made with a mask, which cannot be used again.",
    ],
    [
      "c",
      [edit("b", "a"), edit("c", "b", { numImages: 2 })],
      "edit 2 of the picture used several images, which cannot be used again.",
    ],
    ["b", [edit("b", undefined)], "the first edit was made without an image."],
    ["b", [edit("b", "a", { place: undefined })], "the place of the original was not remembered."],
    ["b", [edit("b", "other", { place: "/pictures/a" })], "the original has been changed since."],
    [
      "b",
      [edit("b", "a", { prompt: "x".repeat(3986) })],
      "the instructions of all edits have 4,001 characters together, and a prompt at most 4,000.",
    ],
  ])("is refused in one sentence where it cannot be: %s, %#", async (name, edits, sentence) => {
    await history.add(edits);
    await expect(whole(name)).rejects.toEqual(about(sentence));
    expect((await startingPoint(history, wanted(name))).notices).toEqual([]);
  });

  it("names a file that is gone", async () => {
    await history.add([edit("b", "gone")]);
    await expect(whole("b")).rejects.toEqual(refusal("IMAGE_UNREADABLE", "/pictures/gone cannot be read."));
  });

  it("remembers of a picture where it was, and no secret of its address", () => {
    const pathOf = (name: string): string => `/here/${name}`;
    expect(placeOf("a.png", pathOf)).toBe("/here/a.png");
    expect(placeOf("https://a.example/a.png", pathOf)).toBe("https://a.example/a.png");
    for (const given of [undefined, "-", "data:image/png;base64,AA", "https://a.example/a.png?token=b"]) {
      expect(placeOf(given, pathOf)).toBeUndefined();
    }
  });
});
