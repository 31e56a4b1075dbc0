import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import {
  checkNumberedOutputs,
  numberedOutputs,
  writeNumberedOutputs,
} from "../../src/cli/numbered-outputs.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const IMAGES = [1, 2, 3].map((byte) => Uint8Array.of(byte));

describe("several results as files", () => {
  it("are numbered before the ending", () => {
    expect(numberedOutputs("a/night.png", 2)).toEqual([
      path.join("a", "night-1.png"),
      path.join("a", "night-2.png"),
    ]);
    expect(numberedOutputs("night", 2)).toEqual(["night-1", "night-2"]);
    expect(() => numberedOutputs("-", 2)).toThrow(
      "numImages must not be 2: standard output takes only one image.",
    );
  });

  it("are all written, in folders that are made", async () => {
    const folder = await temporaryFolder();
    const outputs = numberedOutputs(path.join(folder, "new", "night.png"), 3);
    await checkNumberedOutputs(outputs);
    await writeNumberedOutputs(outputs, IMAGES);
    for (const [index, output] of outputs.entries())
      expect([...(await readFile(output))]).toEqual([index + 1]);
  });

  it("replace no file, and none is written where one is in the way", async () => {
    const folder = await temporaryFolder();
    const outputs = numberedOutputs(path.join(folder, "night.png"), 3);
    await writeFile(outputs[1]!, "mine");
    const taken = refusal(
      "OUTPUT_UNWRITABLE",
      `${outputs[1]} already exists, and several results never replace a file; choose another name with -o.`,
    );
    await expect(checkNumberedOutputs(outputs)).rejects.toEqual(taken);
    // As if it had come while the edit ran.
    await expect(writeNumberedOutputs(outputs, IMAGES)).rejects.toEqual(taken);
    expect(await readdir(folder)).toEqual(["night-2.png"]);
    expect(await readFile(outputs[1]!, "utf8")).toBe("mine");
  });

  it("are refused where they cannot be", async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, "file"), "");
    await mkdir(path.join(folder, "night-1.png"));
    for (const output of ["file/night.png", "night.png"]) {
      await expect(checkNumberedOutputs(numberedOutputs(path.join(folder, output), 2))).rejects.toMatchObject(
        {
          code: "OUTPUT_UNWRITABLE",
        },
      );
    }
  });
});
