/** Batches in this process, with an engine without networks. */
import { link, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openJournal } from "../../../src/cli/batch/journal.ts";
import { makeEdit } from "../../../src/cli/batch/make.ts";
import { createSources } from "../../../src/cli/batch/sources.ts";
import { sha256 } from "../../../src/sha256.ts";
import { runBatchFile, runEditEach } from "../../../src/cli/batch/commands.ts";
import type { EditFlags } from "../../../src/cli/edit.ts";
import { createHistory } from "../../../src/cli/history.ts";
import { RetouchError } from "../../../src/errors.ts";
import type { createEngine, Engine } from "../../../src/index.ts";
import { gradient, sharpOf } from "../../images/samples.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { stubEngine } from "./stub-engine.mjs";

type Open = typeof createEngine;
interface Said {
  stdout: string;
  stderr: string;
}

let folder: string;
let bird: Buffer;
const said: Said = { stdout: "", stderr: "" };

beforeEach(async () => {
  folder = await temporaryFolder();
  bird = await sharpOf(gradient(8, 6)).png().toBuffer();
  await writeFile(path.join(folder, "bird.png"), bird);
  [said.stdout, said.stderr] = ["", ""];
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text, done?: unknown) => {
      said[name] += String(text);
      if (typeof done === "function") (done as () => void)();
      return true;
    });
  }
});
afterEach(() => vi.restoreAllMocks());

const at = (...names: string[]): string => path.join(folder, ...names);
const contentOf = (...names: string[]): Promise<string> => readFile(at("out", ...names), "utf8");
const namesIn = async (name = "out"): Promise<string[]> =>
  (await readdir(at(name), { recursive: true })).filter((one) => /\.(?:png|jpg|tmp)$/.test(one)).toSorted();

/** Makes the edits of lines. @returns how many edits were begun, and the failure */
async function batch(
  lines: readonly unknown[],
  flags: object = {},
  options: Parameters<typeof stubEngine>[0] = {},
) {
  const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");
  await writeFile(at("jobs.jsonl"), text);
  return ran(
    (open, signal) => runBatchFile(at("jobs.jsonl"), { output: at("out"), ...flags }, signal, { open }),
    options,
  );
}

const each = (images: readonly string[], flags: Partial<EditFlags & { output: string; mask: string }> = {}) =>
  ran((open, signal) =>
    runEditEach(
      images.map((name) => at(name)),
      "Make it night",
      { output: at("out"), ...flags },
      signal,
      { open },
    ),
  );

async function ran(
  work: (open: Open, signal: AbortSignal) => Promise<void>,
  options: Parameters<typeof stubEngine>[0] = {},
): Promise<{ edits: number; loads: number; failure: string | undefined; code: string | undefined }> {
  const log = at("log");
  await rm(log, { force: true });
  let loads = 0;
  const open = async (): Promise<ReturnType<typeof stubEngine>> => {
    loads += 1;
    return stubEngine({ ...options, log });
  };
  let failure: Error | undefined;
  await work(open as unknown as Open, AbortSignal.timeout(60_000)).catch((error: Error) => (failure = error));
  const text = await readFile(log, "utf8").catch(() => "");
  const code = failure instanceof RetouchError ? failure.code : undefined;
  return { edits: text.match(/^begin /gm)?.length ?? 0, loads, failure: failure?.message, code };
}

const lineOf = (prompt: string): object => ({ image: "bird.png", prompt, seed: 5, output: `${prompt}.png` });
const night = { image: "bird.png", prompt: "night", seed: 5, output: "night.png" };

describe("a batch", () => {
  it("makes every edit once, with one engine, and nothing when it is run again", async () => {
    const lines = [night, { image: "bird.png", prompt: "day" }, { image: "bird.png", prompt: "day" }];
    expect(await batch(lines)).toEqual({ edits: 3, loads: 1, failure: undefined, code: undefined });
    expect(await namesIn()).toEqual(["bird.edited-2.png", "bird.edited.png", "night.png"]);
    expect(await contentOf("night.png")).toBe("night 5 1");
    const summary = await contentOf("retouch-batch.csv");
    expect(said.stdout).toMatch(/^edits {4}3: 3 done, 0 failed\nsummary {2}.*retouch-batch\.csv\n$/);
    expect(await batch(lines)).toEqual({ edits: 0, loads: 0, failure: undefined, code: undefined });
    expect(await contentOf("retouch-batch.csv")).toBe(summary);
  });

  it("makes lines that were added, and leaves those that are done alone, wherever they stand now", async () => {
    const day = { image: "bird.png", prompt: "day" };
    await batch([day, night]);
    const before = await contentOf("bird.edited.png");
    expect(await batch([{ image: "bird.png", prompt: "rain" }, night, day])).toMatchObject({ edits: 1 });
    expect(await contentOf("bird.edited.png")).toBe(before);
    expect(await contentOf("bird.edited-2.png")).toMatch(/^rain /);
  });

  it("makes a picture that was changed, and a result that is gone, again, and the latter with its seed", async () => {
    const line = { image: "bird.png", prompt: "day", output: "a.png" };
    await batch([line]);
    const before = await contentOf("a.png");
    await rm(at("out", "a.png"));
    expect(await batch([line])).toMatchObject({ edits: 1, failure: undefined });
    expect(await contentOf("a.png")).toBe(before);
    await writeFile(at("bird.png"), await sharpOf(gradient(9, 6)).png().toBuffer());
    expect(await batch([line])).toMatchObject({
      edits: 0,
      failure: expect.stringContaining("1 of 1 edits failed"),
    });
    expect(said.stderr).toContain(
      "a.png already exists, and was not made by this edit; --overwrite replaces it.",
    );
    expect(await batch([line], { overwrite: true })).toMatchObject({ edits: 1, failure: undefined });
  });

  it("replaces no file that it did not make, unless it is told to", async () => {
    await mkdir(at("out"));
    await writeFile(at("out", "night.png"), "precious");
    expect(await batch([night])).toMatchObject({ edits: 0, loads: 0, failure: expect.any(String) });
    expect(await contentOf("night.png")).toBe("precious");
    expect(await batch([night], { overwrite: true })).toMatchObject({ edits: 1, failure: undefined });
    expect(await contentOf("night.png")).toBe("night 5 1");
    expect(await batch([night], { overwrite: true })).toMatchObject({ edits: 0, failure: undefined });
  });

  it("replaces no file that appears while the edit runs", async () => {
    const lines = [night, { ...night, prompt: "day", output: "day.png" }];
    const ended = await batch(
      lines,
      {},
      {
        fail: (prompt: string) => {
          if (prompt === "night") void writeFile(at("out", "night.png"), "precious");
          return undefined;
        },
      },
    );
    expect(ended).toMatchObject({ edits: 2, failure: expect.stringContaining("1 of 2 edits failed") });
    expect(await namesIn()).toEqual(["day.png", "night.png"]);
    expect(await contentOf("night.png")).toBe("precious");
    expect(said.stderr).toContain("night.png appeared in the output folder while this edit ran");
  });

  it("replaces its own summary, also one of failures alone", async () => {
    for (let run = 1; run <= 2; run += 1) {
      expect(await batch(["nonsense"])).toMatchObject({
        failure: expect.stringMatching(/^1 of 1 edits failed/),
      });
    }
  });

  it("replaces no summary of others", async () => {
    await mkdir(at("out"));
    await writeFile(at("out", "retouch-batch.csv"), "precious");
    expect(await batch([night])).toMatchObject({ edits: 0, code: "INVALID_PARAMETER" });
    expect(await contentOf("retouch-batch.csv")).toBe("precious");
  });

  it("never replaces a picture that it reads", async () => {
    await mkdir(at("out"));
    await writeFile(at("out", "a.png"), bird);
    const line = { image: "out/a.png", prompt: "day", output: "a.png" };
    expect(await batch([line], { overwrite: true })).toMatchObject({ edits: 0 });
    expect(said.stderr).toContain("a.png is an image of this batch.");
    expect(await readFile(at("out", "a.png"))).toEqual(bird);
  });

  it("names what is wrong before the first edit, makes all others, and fails", async () => {
    await writeFile(at("text.png"), "no picture");
    await writeFile(at("cut.png"), bird.subarray(0, bird.length - 20));
    await mkdir(at("dir"));
    const lines = [
      "nonsense",
      { ...night, image: "none.png", output: "1.png" },
      { ...night, image: "text.png", output: "2.png" },
      { ...night, image: "cut.png", output: "3.png" },
      { ...night, image: "dir", output: "4.png" },
      { ...night, image: ["bird.png", "bird.png"], output: "5.png" },
      { ...night, num_inference_steps: 0, output: "6.png" },
      { ...night, size_rule: "diffusers", output: "7.png" },
      { ...night, loras: [{ name: "ink" }], output: "8.png" },
      night,
      { ...night, prompt: "again" },
      { ...night, output: "NIGHT.png" },
      { ...night, output: "night.png/a.png" },
      { ...night, output: "a/b.png" },
      { ...night, output: "a" },
    ];
    const ended = await batch(lines);
    expect(ended).toMatchObject({
      edits: 2,
      failure: expect.stringMatching(/^13 of 15 edits failed; .*csv names them\.$/),
    });
    const errors = said.stderr.split("\n").flatMap((line) => /^retouch: (Line .*)$/.exec(line)?.[1] ?? []);
    const name = (output: string): string => at("out", output);
    expect(errors).toEqual([
      expect.stringMatching(/^Line 1: it is not JSON/),
      "Line 2: none.png cannot be read: there is no such file.",
      "Line 3: text.png is not an image; JPEG, PNG, WebP, AVIF, GIF and TIFF are accepted.",
      "Line 4: cut.png is damaged or cut short: its PNG data cannot be decoded.",
      "Line 5: dir cannot be read: it is a folder.",
      "Line 6: image must be one image, not 2, because the model was trained on one; image_layout index, offset or stitch accepts several anyway.",
      "Line 7: num_inference_steps must be a whole number from 1 to 50, not 0.",
      "Line 8: size_rule is not supported: diffusers has a rule of sizes of this kind for FLUX.2 alone.",
      'Line 9: loras: there is no LoRA "ink"; none is known here.',
      `Line 11: ${name("night.png")} is the result of another edit of this batch.`,
      `Line 12: ${name("NIGHT.png")} is the result of another edit of this batch.`,
      `Line 13: ${name("night.png/a.png")} is a result and a folder of results in this batch.`,
      `Line 15: ${name("a")} is a result and a folder of results in this batch.`,
    ]);
    expect(said.stderr.indexOf("Line 15")).toBeLessThan(said.stderr.indexOf(" done: "));
    const rows = (await contentOf("retouch-batch.csv")).trimEnd().split("\r\n").slice(1);
    expect(rows.map((row) => /,(done|failed|waiting),/.exec(row)?.[1])).toEqual(
      lines.map((_, index) => ([9, 13].includes(index) ? "done" : "failed")),
    );
  });

  it("goes on after an edit that fails, and tries it again in the next run", async () => {
    const lines = ["a", "b", "c"].map(lineOf);
    const fail = (prompt: string): Error | undefined =>
      prompt === "b"
        ? new RetouchError("OUTPUT_FLAGGED", "The safety checker refused the result.")
        : undefined;
    expect(await batch(lines, {}, { fail })).toMatchObject({ edits: 3, failure: expect.any(String) });
    expect(await namesIn()).toEqual(["a.png", "c.png"]);
    expect(await contentOf("retouch-batch.csv")).toContain(
      ',5,,,failed,"Line 2: The safety checker refused the result."\r\n',
    );
    expect(await batch(lines)).toMatchObject({ edits: 1, failure: undefined });
    expect(await contentOf("retouch-batch.csv")).not.toContain("failed");
  });

  it("ends at once where the disk is full, instead of working for nothing", async () => {
    const full = new RetouchError("OUTPUT_UNWRITABLE", "a.png cannot be written: the disk is full.", {
      cause: Object.assign(new Error("full"), { code: "ENOSPC" }),
    });
    const lines = ["a", "b", "c"].map(lineOf);
    const ended = await batch(lines, {}, { fail: (prompt: string) => (prompt === "b" ? full : undefined) });
    expect(ended).toMatchObject({ edits: 2, code: "OUTPUT_UNWRITABLE" });
    expect((await contentOf("retouch-batch.csv")).match(/,(?:done|waiting),/g)).toEqual([
      ",done,",
      ",waiting,",
      ",waiting,",
    ]);
  });

  it("makes several results of a line with seeds one after the other, also of one that chose none", async () => {
    const line = { image: "bird.png", prompt: "day", num_images: 3, output: "a.png" };
    await batch([line]);
    expect(await namesIn()).toEqual(["a-1.png", "a-2.png", "a-3.png"]);
    const first = Number((await contentOf("a-1.png")).split(" ")[1]);
    expect(await contentOf("a-3.png")).toBe(`day ${first + 2} 1`);
    await rm(at("out", "a-2.png"));
    expect(await batch([line])).toMatchObject({ edits: 1 });
    expect(await contentOf("a-2.png")).toBe(`day ${first + 1} 1`);
    const last = { ...line, seed: Number.MAX_SAFE_INTEGER - 1, output: "b.png" };
    expect(await batch([last])).toMatchObject({ edits: 0, failure: expect.any(String) });
    expect(said.stderr).toContain("Line 1: seed must be a whole number from -1 to 9007199254740989");
  });

  it("writes nothing outside its folder, whatever links are in it", async () => {
    const outside = await temporaryFolder();
    await mkdir(at("out"));
    await symlink(outside, at("out", "link"));
    const ended = await batch([{ ...night, output: "link/a.png" }, night]);
    expect(ended).toMatchObject({ edits: 1, failure: expect.stringContaining("1 of 2") });
    expect(said.stderr).toContain("leads out of the output folder through a symbolic link.");
    expect(await readdir(outside)).toEqual([]);
    await writeFile(path.join(outside, "precious"), "old");
    await symlink(path.join(outside, "precious"), at("out", "b.png"));
    await batch([{ ...night, output: "b.png" }], { overwrite: true });
    expect([await contentOf("b.png"), await readFile(path.join(outside, "precious"), "utf8")]).toEqual([
      "night 5 1",
      "old",
    ]);
  });

  it("lists what it would do with --dry-run, and writes nothing", async () => {
    expect(await batch([night, "nonsense"], { dryRun: true })).toEqual({
      edits: 0,
      loads: 0,
      failure: "1 of 2 edits cannot be made.",
      code: undefined,
    });
    expect(said.stdout).toBe(`waiting  bird.png -> ${at("out", "night.png")}\n`);
    await expect(readdir(at("out"))).rejects.toThrow("ENOENT");
    await batch([night]);
    said.stdout = "";
    await batch([night], { dryRun: true });
    expect(said.stdout).toBe(`is done  bird.png -> ${at("out", "night.png")}\n`);
  });

  it("prints a line of JSON for each edit with --json, and nothing but errors with --quiet", async () => {
    await batch([night, "nonsense"], { json: true });
    expect(
      said.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      {
        input: "bird.png",
        output: at("out", "night.png"),
        seed: 5,
        status: "done",
        size: { width: 4, height: 2 },
        seconds: 0.01,
      },
      { input: "", status: "failed", error: expect.stringMatching(/^Line 2: it is not JSON/) },
    ]);
    [said.stdout, said.stderr] = ["", ""];
    await rm(at("out"), { recursive: true });
    await batch([night, "nonsense"], { quiet: true });
    expect(said).toEqual({
      stdout: "",
      stderr: expect.stringMatching(/^retouch: Line 2: it is not JSON[^\n]*\n$/),
    });
  });

  it("is refused where there is nothing to do", async () => {
    expect(await batch([""])).toMatchObject({
      code: "INVALID_PARAMETER",
      failure: expect.stringMatching(/has no lines\.$/),
    });
  });
});

describe("what a killed process leaves", () => {
  const line = { image: "bird.png", prompt: "day", output: "a/b.png" };

  /** Brings the folder into the state of a process that was killed at a moment. */
  async function killedAt(moment: (files: { target: string; staged: string; key: string }) => Promise<void>) {
    await batch([line]);
    const journal = await openJournal(at("out"));
    const [key, known] = [...journal.edits][0]!;
    const target = at("out", "a/b.png");
    const content = await readFile(target, "utf8");
    const text = await readFile(at("out/.retouch-batch/journal.jsonl"), "utf8");
    await journal.close();
    // Without its last record, as if the process had ended before it.
    await writeFile(at("out/.retouch-batch/journal.jsonl"), text.split("\n").slice(0, -2).join("\n") + "\n");
    expect(known.result).toBeDefined();
    const staged = path.join(path.dirname(target), `.retouch-${key.slice(0, 24)}.tmp`);
    await moment({ target, staged, key });
    return content;
  }

  it.each<[string, Parameters<typeof killedAt>[0], number]>([
    ["named and not noted", async () => {}, 0],
    ["made and not named", ({ target, staged }) => rename(target, staged), 0],
    ["linked, with both names", ({ target, staged }) => link(target, staged), 0],
    ["noted, without any file", ({ target }) => rm(target), 1],
    [
      "half staged",
      async ({ target, staged }) => {
        await rm(target);
        await writeFile(staged, "hal");
      },
      1,
    ],
  ])("is finished: a result that was %s", async (_, moment, edits) => {
    const content = await killedAt(moment);
    expect(await batch([line])).toMatchObject({ edits, failure: undefined });
    expect(await namesIn()).toEqual(["a/b.png"]);
    expect(await contentOf("a/b.png")).toBe(content);
    expect(await batch([line])).toMatchObject({ edits: 0, failure: undefined });
  });

  it("stays apart from a file of somebody else under that name", async () => {
    await killedAt(async ({ target }) => writeFile(target, "precious"));
    expect(await batch([line])).toMatchObject({ edits: 0, failure: expect.any(String) });
    expect(await contentOf("a/b.png")).toBe("precious");
  });
});

describe("images that are edited one by one", () => {
  it("are those of the arguments and those in folders, each with its own name and seed", async () => {
    await mkdir(at("pics/sub"), { recursive: true });
    for (const name of ["pics/a.jpg", "pics/sub/a.jpg", "pics/bird.png"]) await writeFile(at(name), bird);
    await writeFile(at("pics/notes.txt"), "");
    expect(await each(["bird.png", "pics"])).toMatchObject({ edits: 4, loads: 1, failure: undefined });
    expect(await namesIn()).toEqual([
      "a.edited.png",
      "bird.edited-2.png",
      "bird.edited.png",
      "sub/a.edited.png",
    ]);
    expect(said.stderr).toContain(
      `1 files in ${at("pics")} do not have the name of an image and are skipped.`,
    );
    expect(await each(["bird.png", "pics"])).toMatchObject({ edits: 0 });
    await writeFile(at("pics/0.png"), bird);
    expect(await each(["bird.png", "pics"])).toMatchObject({ edits: 1 });
    expect(await namesIn()).toContain("0.edited.png");
  });

  it("are not the results themselves, where those lie in the same folder", async () => {
    await mkdir(at("pics"));
    await writeFile(at("pics/a.png"), bird);
    for (const output of ["pics", "pics/out"]) {
      expect(await each(["pics"], { output: at(output) })).toMatchObject({ edits: 1 });
      expect(await each(["pics"], { output: at(output) })).toMatchObject({ edits: 0, failure: undefined });
      await rm(at("pics/a.edited.png"), { force: true });
      await rm(at("pics/.retouch-batch"), { recursive: true, force: true });
    }
  });

  it("have the flags of an edit, and a wrong one of them is refused for each by its flag", async () => {
    await each(["bird.png"], { seed: 9, format: "jpeg" });
    expect(await namesIn()).toEqual(["bird.edited.jpg"]);
    expect(await contentOf("bird.edited.jpg")).toBe("Make it night 9 1");
    await each(["bird.png"], { steps: 99 });
    expect(said.stderr).toContain("bird.png: --steps must be a whole number from 1 to 50, not 99.");
  });

  it("have a mask that is given read for each, and refused for each if it is no picture", async () => {
    await writeFile(at("text.png"), "no picture");
    await each(["bird.png"], { mask: at("text.png") });
    expect(said.stderr).toContain(
      `text.png is not an image; JPEG, PNG, WebP, AVIF, GIF and TIFF are accepted.`,
    );
    expect(await each(["bird.png"], { mask: at("bird.png") })).toMatchObject({
      edits: 1,
      failure: undefined,
    });
    expect(await readFile(at("log"), "utf8")).toContain(`mask ${bird.length}\n`);
  });

  it("are refused where a folder has none", async () => {
    await mkdir(at("pics"));
    expect(await each(["pics"])).toMatchObject({
      code: "INVALID_PARAMETER",
      failure: `${at("pics")}: there are no images in it.`,
    });
  });
});

it("a long edit that was interrupted goes on from its latest state, which is then gone", async () => {
  await mkdir(at("out"));
  const journal = await openJournal(at("out"));
  const key = sha256("an edit");
  await journal.append([{ event: "planned", key, output: "a.png", seed: 5 }]);
  const signal = new AbortController().signal;
  const parameters = { prompt: "night", seed: 5 };
  const entry = {
    images: [{ given: "bird.png", source: at("bird.png") }],
    pictures: {},
    parameters,
    numImages: 1,
  };
  const edit = { input: "bird.png", entry, key, output: "a.png", parameters, roomBytes: 0, isDone: false };
  let stopAt: number | undefined = 3;
  const make = (stateEveryMs: number) =>
    makeEdit(stubEngine({ log: at("log"), steps: 5 }) as Engine, edit, {
      root: at("out"),
      journal,
      sources: createSources(signal),
      history: createHistory(undefined),
      offerName: "from_original",
      isReplacing: false,
      signal,
      lost: signal,
      stateEveryMs,
      onStep({ step }) {
        if (step === stopAt) throw new Error("killed");
      },
    });
  await expect(make(0)).rejects.toThrow("killed");
  const stateFile = at("out/.retouch-batch", `${key}.state`);
  // After the second step, the last one whose end was seen.
  expect(await readFile(stateFile, "utf8")).toBe("2");
  stopAt = undefined;
  await make(60_000);
  const steps = (await readFile(at("log"), "utf8")).match(/step-\d/g);
  expect(steps).toEqual(["step-1", "step-2", "step-3", "step-3", "step-4", "step-5"]);
  expect(await contentOf("a.png")).toBe("night 5 1");
  await expect(readFile(stateFile)).rejects.toThrow("ENOENT");
  await journal.close();
});
