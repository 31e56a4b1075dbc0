/** `retouch calibrate`, and edits that use what it kept. */
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { Calibration } from "../../src/index.ts";
import { fixtures } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { CHECKPOINT, ONE_THREAD, retouch } from "./run.ts";

const PICTURE = path.join(fixtures, "pictures", "scene-64x64.png");
const LINE = { image: PICTURE, prompt: "Make the red car blue", num_inference_steps: 16, size: "64*64" };

describe("retouch calibrate", () => {
  it("keeps what the edits of a file tell, and edits reuse steps by it", async () => {
    const folder = await temporaryFolder();
    const env = { RETOUCH_CACHE_DIR: path.join(folder, "cache") };
    const file = path.join(folder, "edits.jsonl");
    await writeFile(file, Array.from({ length: 20 }, () => `${JSON.stringify(LINE)}\n`).join(""));
    const network = ["--checkpoint", CHECKPOINT, "--weights", "fp32", ...ONE_THREAD];
    const { code, stdout, stderr } = await retouch(["calibrate", file, ...network, "--json"], { env });
    expect([code, stderr]).toEqual([0, ""]);
    const kept = JSON.parse(stdout.toString()) as { calibration: Calibration; file: string };
    expect(kept.calibration).toMatchObject({ edits: 20, arithmetic: { fp32: 0 } });
    expect(kept.calibration.gains.at(-1)!.downTo).toBe(0);
    expect(await readdir(path.join(folder, "cache", "calibrations"))).toEqual([path.basename(kept.file)]);

    const edit = ["edit", PICTURE, LINE.prompt, "--steps", "16", "--seed", "1", ...network];
    const made = await retouch(
      [...edit, "--acceleration", "auto", "--min-psnr", "30", "-o", path.join(folder, "a.png"), "--json"],
      { env },
    );
    expect(made.code).toBe(0);
    const { acceleration, notices } = JSON.parse(made.stdout.toString()) as {
      acceleration: { computedSteps: number; reusedSteps: number };
      notices: string[];
    };
    expect(notices).toEqual([]);
    expect(acceleration.computedSteps + acceleration.reusedSteps).toBe(16);
    expect(acceleration.reusedSteps).toBeGreaterThan(0);
  });

  it.each([
    ["", /edits\.jsonl has no lines\.$/],
    [JSON.stringify(LINE), "A calibration takes at least 20 edits, and there are 1."],
    [JSON.stringify({ ...LINE, loras: [{ name: "ink" }] }), /a calibration is that of a checkpoint alone\.$/],
    [JSON.stringify({ ...LINE, from_original: true }), /a calibration makes no edits of edits\.$/],
    [JSON.stringify({ ...LINE, image: "nowhere.png" }), /nowhere\.png cannot be read/],
  ])("refuses a file with %j", async (text, sentence) => {
    const folder = await temporaryFolder();
    const file = path.join(folder, "edits.jsonl");
    await writeFile(file, text);
    const env = { RETOUCH_CACHE_DIR: path.join(folder, "cache") };
    const { code, stdout, stderr } = await retouch(["calibrate", file, "--checkpoint", CHECKPOINT], { env });
    expect(code).not.toBe(0);
    expect(stdout.toString()).toBe("");
    const said = stderr
      .trim()
      .split("\n")
      .at(-1)!
      .replace(/^retouch: /, "");
    if (typeof sentence === "string") expect(said).toBe(sentence);
    else expect(said).toMatch(sentence);
    expect(await readdir(folder)).toEqual(["edits.jsonl"]);
  });
});
