/** `retouch edit` and the safety checker. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runEdit } from "../../src/cli/edit.ts";
import type * as EngineModule from "../../src/engine/engine.ts";
import { gradient, sharpOf } from "../images/samples.ts";
import { refusal } from "../support/refusal.ts";
import { CHECKPOINT, quickEdit } from "./run.ts";

// The command has no flag for the threshold: here, in this process, every picture is over it.
vi.mock(import("../../src/engine/engine.ts"), async (importOriginal) => {
  const original: typeof EngineModule = await importOriginal();
  return {
    ...original,
    createEngine: (options = {}) =>
      original.createEngine({ ...options, safety: { ...options.safety, threshold: 0 } }),
  };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "retouch-cli-"));
  await writeFile(path.join(folder, "bird.png"), await sharpOf(gradient(60, 44)).png().toBuffer());
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const inFolder = (name: string): string => path.join(folder, name);
const editHere = (flags: object): Promise<void> =>
  runEdit(
    [inFolder("bird.png")],
    "Make it night",
    { checkpoint: CHECKPOINT, steps: 1, threads: 1, quiet: true, output: inFolder("night.png"), ...flags },
    { signal: new AbortController().signal },
  );

describe("a result that the checker refuses", () => {
  it("is not written, and the sentence says how to go without the check", async () => {
    await expect(editHere({})).rejects.toEqual(
      refusal(
        "OUTPUT_FLAGGED",
        /^The safety checker refused the result: .* \(score 0\.\d{3}, refused from 0\); --no-safety-checker leaves the check out\.$/,
      ),
    );
    expect(await readdir(folder)).toEqual(["bird.png"]);
    await editHere({ safetyChecker: false });
    expect(await readdir(folder)).toEqual(["bird.png", "night.png"]);
  });
});

describe("retouch edit --no-safety-checker", () => {
  const run = (...flags: string[]) => quickEdit("bird.png", { flags }, { cwd: folder });

  it("draws the same picture and says that it was not checked", async () => {
    const { code, stdout } = await run("--no-safety-checker");
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(/^safety check +off$/m);

    const unchecked = JSON.parse((await run("--no-safety-checker", "--json")).stdout.toString());
    expect(unchecked).not.toHaveProperty("safety");
    expect(unchecked.parameters.isSafetyChecked).toBe(false);
    const checked = JSON.parse((await run("--json")).stdout.toString());
    expect(checked).toMatchObject({
      safety: { score: expect.any(Number), threshold: 0.7 },
      parameters: { isSafetyChecked: true },
      bytes: unchecked.bytes,
    });
  });
});
