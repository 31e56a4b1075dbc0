/** Results that the disk of their folder has no room for: refused before they are drawn. */
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { runBatchFile } from "../../src/cli/batch/commands.ts";
import { checkDiskRoom } from "../../src/cli/disk-room.ts";
import type { createEngine } from "../../src/index.ts";
import { refusal } from "../support/refusal.ts";
import { smallDisk } from "../support/small-disk.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { stubEngine } from "./batch/stub-engine.mjs";
import { quickEdit } from "./run.ts";

let folder: string;
const picture = (name: string, width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: "grey" } })
    .png()
    .toFile(path.join(folder, name));

beforeEach(async () => {
  folder = await temporaryFolder();
});

describe("retouch edit", () => {
  it("refuses a result that the disk of its folder has no room for, before it loads anything", async ({
    skip,
  }) => {
    const disk = await smallDisk(1);
    if (typeof disk !== "string") return skip(disk.refused);
    await picture("bird.png", 60, 44);
    const edit = (output: string, ...flags: string[]) =>
      quickEdit("bird.png", { flags: ["-o", output, "--no-safety-checker", ...flags] }, { cwd: folder });
    const room = "for which there is no room: its disk has 1.0 MB left.";
    const refused = await edit(path.join(disk, "b.png"), "--size", "1024x1024", "--checkpoint", "/missing");
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`-o: a result of 1024 x 1024 pixels takes about 3.1 MB, ${room}\n`),
    });
    const several = await edit(path.join(disk, "b.png"), "--size", "512x512", "-n", "2");
    expect(several.stderr).toContain(`-o: 2 results of 512 x 512 pixels take about 1.6 MB, ${room}\n`);
    expect(await readdir(disk)).toEqual([]);
    expect(await edit(path.join(disk, "b.png"), "--size", "256x256")).toMatchObject({ code: 0 });
    expect(await readdir(disk)).toEqual(["b.png"]);
  });

  it("counts the pixels of its image where they are all wanted, and nothing for what goes to no disk", async ({
    skip,
  }) => {
    const disk = await smallDisk(1);
    if (typeof disk !== "string") return skip(disk.refused);
    const image = await sharp({ create: { width: 800, height: 500, channels: 3, background: "grey" } })
      .png()
      .toBuffer();
    const wanted = { size: "source", format: "png" } as const;
    const file = path.join(disk, "b.png");
    await expect(checkDiskRoom(file, wanted, image)).rejects.toEqual(
      refusal(
        "DISK_FULL",
        "output: a result of 800 x 500 pixels takes about 1.2 MB, for which there is no room: its disk has 1.0 MB left.",
      ),
    );
    await checkDiskRoom(file, { ...wanted, format: "jpeg" }, image);
    // The edit itself tells what is wrong with it.
    await checkDiskRoom(file, wanted, Buffer.from("no picture"));
    for (const other of ["-", "/dev/null"]) {
      await checkDiskRoom(
        other,
        { size: { width: 4096, height: 4096 }, numImages: 8, format: "png" },
        undefined,
      );
    }
  });
});

describe("retouch batch", () => {
  async function batch(disk: string, lines: readonly object[]) {
    await writeFile(path.join(folder, "jobs.jsonl"), lines.map((line) => JSON.stringify(line)).join("\n"));
    let loads = 0;
    const open = (async () => {
      loads += 1;
      return stubEngine();
    }) as unknown as typeof createEngine;
    const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const flags = { output: path.join(disk, "out"), quiet: true };
    const failure = await runBatchFile(path.join(folder, "jobs.jsonl"), flags, AbortSignal.timeout(60_000), {
      open,
    }).catch((error: Error) => error.message);
    said.mockRestore();
    return { loads, failure };
  }

  it("counts all large results that are left before it loads the checkpoint", async ({ skip }) => {
    const disk = await smallDisk(8);
    if (typeof disk !== "string") return skip(disk.refused);
    await picture("large.png", 3000, 2000);
    const both = (ending: string): object[] =>
      ["a", "b"].map((name) => ({
        image: "large.png",
        prompt: "Make it night",
        size: "source",
        output: `${name}.${ending}`,
      }));
    expect(await batch(disk, both("png"))).toEqual({
      loads: 0,
      failure:
        "-o: the 2 results that are left take about 12.0 MB, for which there is no room: its disk has 8.4 MB left.",
    });
    expect(await batch(disk, both("jpg"))).toEqual({ loads: 1, failure: undefined });
  });

  it("ends before an edit whose result has no room, and goes on once there is", async ({ skip }) => {
    const disk = await smallDisk(1);
    if (typeof disk !== "string") return skip(disk.refused);
    await picture("bird.png", 60, 44);
    const lines = (second: string): object[] =>
      ["256*256", second, "256*256"].map((size, index) => ({
        image: "bird.png",
        prompt: "Make it night",
        size,
        output: `${index}.png`,
      }));
    expect(await batch(disk, lines("1024*1024"))).toEqual({
      loads: 1,
      failure: expect.stringMatching(
        /^-o: a result of 1024 x 1024 pixels takes about 3\.1 MB, for which there is no room: its disk has [\d.]+ (?:MB|kB) left\.$/,
      ),
    });
    const made = (await readdir(path.join(disk, "out"))).filter((name) => name.endsWith(".png"));
    expect(made).toEqual(["0.png"]);
    expect(await batch(disk, lines("256*256"))).toEqual({ loads: 1, failure: undefined });
  });
});
