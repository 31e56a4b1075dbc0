/** Batches with the real engine and small random weights. */
import { type ChildProcess, execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import sharp from "sharp";
import { beforeEach, describe, expect, it } from "vitest";
import { gradient, sharpOf } from "../images/samples.ts";
import { fixtures } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { CHECKPOINT, type Ended, ONE_THREAD, retouch, type RunOptions, whenItSays } from "./run.ts";

const FLAGS = ["--checkpoint", CHECKPOINT, "--no-safety-checker", ...ONE_THREAD];
const KLEIN = path.join(fixtures, "klein", "checkpoints", "plain");

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  for (const name of ["bird.png", "hat.png"]) {
    await writeFile(path.join(folder, name), await sharpOf(gradient(60, 44)).png().toBuffer());
  }
});

const run = (args: readonly string[], options: RunOptions = {}): Promise<Ended> =>
  retouch([...args, ...FLAGS], { cwd: folder, ...options });
const resultsIn = async (name: string): Promise<string[]> =>
  (await readdir(path.join(folder, name))).filter((file) => !file.startsWith(".")).toSorted();
const jobs = (count: number, fields: object): Promise<void> =>
  writeFile(
    path.join(folder, "jobs.jsonl"),
    Array.from({ length: count }, (_, index) =>
      JSON.stringify({
        image: "bird.png",
        prompt: "Make it night",
        seed: index,
        output: `${index}.png`,
        ...fields,
      }),
    ).join("\n"),
  );

describe("retouch edit with a folder as -o", () => {
  it("makes of each image what an edit of it alone makes, and nothing when it is run again", async () => {
    await mkdir(path.join(folder, "pics"));
    await writeFile(path.join(folder, "pics/cat.jpg"), await sharpOf(gradient(40, 30)).jpeg().toBuffer());
    const flags = ["--steps", "1", "--seed", "7"];
    const args = ["edit", "bird.png", "hat.png", "pics", "Make it night", "-o", "out/", ...flags];
    const { code, stdout, stderr } = await run(args);
    expect([code, stdout.toString()]).toEqual([
      0,
      `edits    3: 3 done, 0 failed\nsummary  ${path.join("out", "retouch-batch.csv")}\n`,
    ]);
    expect(stderr.match(/^retouch: \d\/3 done: out.*\.edited\.png \(\d+\.\d\d s\)$/gm)).toHaveLength(3);
    expect(await resultsIn("out")).toEqual([
      "bird.edited.png",
      "cat.edited.png",
      "hat.edited.png",
      "retouch-batch.csv",
    ]);
    const alone = await run(["edit", "bird.png", "Make it night", "-o", "alone.png", ...flags]);
    expect(alone.code).toBe(0);
    expect(await readFile(path.join(folder, "out/bird.edited.png"))).toEqual(
      await readFile(path.join(folder, "alone.png")),
    );
    const again = await run(args);
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(again.stdout.toString()).toContain("3 done, 3 of them before, 0 failed");
  });

  it("leaves several images with a file as -o to one edit of a model that takes them", async () => {
    const args = ["edit", "bird.png", "hat.png", "Put the hat on", "--steps", "1", "--checkpoint", KLEIN];
    const one = await retouch([...args, "-o", "one.png", "--json", "--no-safety-checker", ...ONE_THREAD], {
      cwd: folder,
    });
    expect([one.code, one.stderr]).toEqual([0, ""]);
    expect((JSON.parse(one.stdout.toString()) as { referenceSizes: unknown[] }).referenceSizes).toHaveLength(
      2,
    );
    const flags = ["-o", "each/", "--image", "hat.png", "--no-safety-checker", ...ONE_THREAD];
    const each = await retouch([...args, ...flags], { cwd: folder });
    expect(each.code).toBe(0);
    expect(await resultsIn("each")).toEqual(["bird.edited.png", "hat.edited.png", "retouch-batch.csv"]);
  });
});

describe("retouch batch", () => {
  it("makes the edits of a file with the engine loaded once, names the wrong line and ends with code 1", async () => {
    await writeFile(
      path.join(folder, "jobs.jsonl"),
      '{"image":"bird.png","prompt":"Make it night","num_inference_steps":1,"size":"32*32","output":"a/night.jpg"}\n' +
        '{"image":"bird.png","promt":"Make it night"}\n' +
        '{"image":"hat.png","prompt":"Make it red","num_inference_steps":1,"num_images":2}\n',
    );
    const { code, stderr } = await run(["batch", "jobs.jsonl", "-o", "out"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^retouch: Line 2: "promt" is not a field of an edit; did you mean prompt\?\nretouch: 2\/4 done: /,
    );
    expect(await sharp(path.join(folder, "out/a/night.jpg")).metadata()).toMatchObject({
      format: "jpeg",
      width: 32,
      height: 32,
    });
    expect(await resultsIn("out")).toEqual([
      "a",
      "hat.edited-1.png",
      "hat.edited-2.png",
      "retouch-batch.csv",
    ]);
  });

  it("is ended by SIGINT with code 130, and goes on where it was", async () => {
    await jobs(12, { num_inference_steps: 4 });
    const stopped = await run(["batch", "jobs.jsonl", "-o", "out"], {
      onStart: (child) => whenItSays(child, /2\/12 done/, () => child.kill("SIGINT")),
    });
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toContain(
      "retouch: Stopping after the current step; the same command continues from there. Press Ctrl-C again to stop at once.\n",
    );
    const done = Number(/retouch: (\d+) of 12 edits are done; run the same command/.exec(stopped.stderr)![1]);
    expect(done).toBeGreaterThanOrEqual(2);
    expect(await resultsIn("out")).toHaveLength(done + 1);
    const { code, stdout } = await run(["batch", "jobs.jsonl", "-o", "out"]);
    expect([code, stdout.toString()]).toEqual([
      0,
      expect.stringContaining(`12 done, ${done} of them before`),
    ]);
  });

  it("survives SIGKILL: what was done is the same file, and the rest is what an undisturbed run makes", async () => {
    await jobs(6, { num_inference_steps: 2 });
    const whole = await run(["batch", "jobs.jsonl", "-o", "whole"]);
    expect(whole.code).toBe(0);
    for (const words of [/1\/6 done/, /3\/6 done/, /4\/6 done/]) {
      const killed = await run(["batch", "jobs.jsonl", "-o", "out"], {
        onStart: (child: ChildProcess) => whenItSays(child, words, () => child.kill("SIGKILL")),
      });
      expect(killed.signal).toBe("SIGKILL");
    }
    expect((await run(["batch", "jobs.jsonl", "-o", "out"])).code).toBe(0);
    expect(await resultsIn("out")).toEqual(await resultsIn("whole"));
    for (const name of (await resultsIn("out")).filter((one) => one.endsWith(".png"))) {
      const [killed, undisturbed] = await Promise.all(
        ["out", "whole"].map((of) => readFile(path.join(folder, of, name))),
      );
      expect(killed!.equals(undisturbed!), name).toBe(true);
    }
    const journal = await readFile(path.join(folder, "out/.retouch-batch/journal.jsonl"), "utf8");
    expect(journal.match(/"event":"done"/g)).toHaveLength(6);
    expect(journal.match(/"event":"made"/g)).toHaveLength(6);
  });

  it("shows a bar over all edits on a terminal", async ({ skip }) => {
    if (process.platform === "win32") skip("another operating system: this one has no pty");
    await jobs(2, { num_inference_steps: 2 });
    const program = fileURLToPath(new URL("../../bin/retouch.js", import.meta.url));
    const terminal = fileURLToPath(new URL("terminal.py", import.meta.url));
    const args = [
      terminal,
      "never said",
      "",
      process.execPath,
      program,
      "batch",
      "jobs.jsonl",
      "-o",
      "out",
      ...FLAGS,
    ];
    const { stdout } = await promisify(execFile)("python3", args, { cwd: folder });
    expect(stdout).toContain("[############------------] 1/2, ");
    expect(stdout).toMatch(/\[#{6}-{18}\] 0\/2, \d+ s left, bird\.png, step 1\/2/);
    expect(stdout).not.toContain(" done: ");
  });
});
