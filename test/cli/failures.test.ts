import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blankPng, gradient, isoMediaHead, sharpOf } from "../images/samples.ts";
import { CHECKPOINT, ONE_THREAD, retouch, whenItSays, type Ended, type RunOptions } from "./run.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "retouch-cli-"));
  await writeFile(path.join(folder, "bird.png"), await sharpOf(gradient(60, 44)).png().toBuffer());
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function edit(image: string, flags: string[] = [], options: RunOptions = {}): Promise<Ended> {
  const args = ["edit", image, "Make it night", "--checkpoint", CHECKPOINT, "--steps", "1"];
  return retouch([...args, ...ONE_THREAD, ...flags], { cwd: folder, ...options });
}

async function expectFailure(ended: Promise<Ended>, sentence: string | RegExp): Promise<void> {
  const { code, stdout, stderr } = await ended;
  expect(stderr).toMatch(/^retouch: [^\n]*\.\n$/);
  if (typeof sentence === "string") expect(stderr).toBe(`retouch: ${sentence}\n`);
  else expect(stderr).toMatch(sentence);
  expect([code, stdout.length]).toEqual([1, 0]);
}

describe("a failure ends with code 1 and one sentence", () => {
  it.each([
    ["a missing file", "none.png", "none.png cannot be read: there is no such file."],
    ["a bad data URL", "data:;base64,***", "the data URL cannot be read: its data is not base64."],
    ["an unknown scheme", "ftp://a.invalid/b", /addresses with ftp: are not supported/],
    ["nothing on standard input", "-", "standard input is empty (0 bytes)."],
  ])("%s", (_, image, sentence) => expectFailure(edit(image), sentence));

  it.each<[string, () => Uint8Array | Promise<Uint8Array>, string]>([
    ["an empty file", () => Buffer.alloc(0), "a.png is empty (0 bytes)."],
    [
      "text",
      () => Buffer.from("no picture"),
      "a.png is not an image; JPEG, PNG, WebP, AVIF, GIF and TIFF are accepted.",
    ],
    [
      "half a picture",
      async () => (await readFile(path.join(folder, "bird.png"))).subarray(0, 1000),
      "a.png is damaged or cut short: its PNG data cannot be decoded.",
    ],
    [
      "too many pixels",
      () => blankPng(9000, 8000),
      "a.png has 9000 x 8000 = 72,000,000 pixels; at most 64,000,000 are accepted.",
    ],
    [
      "an SVG",
      () => Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"),
      "a.png is an SVG drawing, which is not accepted; export it as PNG.",
    ],
    [
      "a HEIC",
      () => isoMediaHead("heic", "mif1"),
      "a.png is a HEIC/HEIF image, which is not accepted; convert it to JPEG or PNG.",
    ],
  ])("%s, before the checkpoint is even looked at", async (_, content, sentence) => {
    await writeFile(path.join(folder, "a.png"), await content());
    await expectFailure(edit("a.png", ["--checkpoint", "none"]), sentence);
    expect(await readdir(folder)).toEqual(["a.png", "bird.png"]);
  });

  it("a checkpoint folder that is missing or holds none", async () => {
    await expectFailure(edit("bird.png", ["--checkpoint", "none"]), /none\b.*\.\n$/);
    await mkdir(path.join(folder, "empty"));
    await expectFailure(edit("bird.png", ["--checkpoint", "empty"]), /model_index\.json/);
    expect(await readdir(folder)).toEqual(["bird.png", "empty"]);
  });

  it("a result that cannot be written, before the checkpoint is even looked at", async () => {
    const flags = ["--checkpoint", "none"];
    const underFile = "bird.png/a.png cannot be written: a part of its path is a file, not a folder.";
    await expectFailure(edit("bird.png", [...flags, "-o", "bird.png/a.png"]), underFile);
    await expectFailure(
      edit("bird.png", [...flags, "-o", "/proc/a.png"]),
      /^retouch: \/proc\/a\.png cannot be written/,
    );
  });

  it("a full disk, for the picture and for the report", async ({ skip }) => {
    skip(!existsSync("/dev/full"), "another operating system: this one has no /dev/full");
    await expectFailure(
      edit("bird.png", ["-o", "/dev/full"]),
      "/dev/full cannot be written: the disk is full.",
    );
    const full = openSync("/dev/full", "w");
    const ended = edit("bird.png", ["--json"], { stdio: ["pipe", full, "pipe"] });
    await expectFailure(ended, /^retouch: Standard output cannot be written: .*ENOSPC.*\.\n$/);
    closeSync(full);
  });

  it("never lets a name break out of its line", async () => {
    await expectFailure(
      edit("no\u001B[31m\nsuch.png"),
      "no?[31m such.png cannot be read: there is no such file.",
    );
  });
});

describe("a reader that has gone away", () => {
  const closeStdout: RunOptions["onStart"] = (child) => {
    child.stdin?.end();
    child.stdout?.destroy();
  };

  it("does not matter to the report", async () => {
    const { code, stderr } = await edit("bird.png", [], { onStart: closeStdout });
    expect([code, stderr]).toEqual([0, ""]);
    expect(await readdir(folder)).toEqual(["bird.edited.png", "bird.png"]);
  });

  it("is a failure where it should have got the picture", async () => {
    const { code, stderr } = await edit("bird.png", ["-o", "-"], { onStart: closeStdout });
    expect(stderr).toMatch(/^retouch: Standard output cannot be written: .*EPIPE.*\.\n$/);
    expect(code).toBe(1);
  });
});

describe("an interruption", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by %s ends with code %i while the source is awaited", async (signal, expected) => {
    const { code, stderr } = await edit("-", [], {
      // More than a pipe holds, so that it is gone only when somebody reads.
      onStart: (child) => child.stdin?.write(Buffer.alloc(1_000_000), () => child.kill(signal)),
    });
    expect(stderr).toBe("retouch: Stopping after the current step; press Ctrl-C again to stop at once.\n");
    expect(code).toBe(expected);
  });

  it("for the second time ends even what cannot be stopped", async (context) => {
    const pipe = path.join(folder, "pipe");
    if (spawnSync("mkfifo", [pipe]).status !== 0)
      return context.skip("another operating system: this one has no mkfifo");
    const { code, signal } = await edit(pipe, [], {
      onStart: (child) => {
        // Opening a pipe that nobody writes to holds a thread, and the process cannot end without it.
        setTimeout(() => child.kill("SIGINT"), 1500);
        whenItSays(child, /Stopping/, () => setTimeout(() => child.kill("SIGINT"), 200));
      },
    });
    expect([code, signal]).toEqual([null, "SIGINT"]);
  });

  it("between steps ends with code 130 and leaves no file", async () => {
    const args = ["edit", "bird.png", "Make it night", "--steps", "50", "--negative-prompt", "rain"];
    const { code, stderr, stdout } = await retouch(args, {
      cwd: folder,
      onStart: (child) => whenItSays(child, /demo model/, () => child.kill("SIGINT")),
    });
    expect(stderr).toMatch(/Stopping after the current step; press Ctrl-C again to stop at once\.\n$/);
    expect([code, stdout.length]).toEqual([130, 0]);
    expect(await readdir(folder)).toEqual(["bird.png"]);
  });
});
