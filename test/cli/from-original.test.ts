/** `retouch edit --from-original` as a user runs it. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { beforeEach, describe, expect, it } from "vitest";
import { gradient, sharpOf } from "../images/samples.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { type Ended, quickEdit } from "./run.ts";

let folder: string;
let env: Record<string, string>;
beforeEach(async () => {
  folder = await temporaryFolder();
  env = { RETOUCH_CACHE_DIR: path.join(folder, "cache"), RETOUCH_HISTORY: "true" };
  await writeFile(path.join(folder, "bird.png"), await sharpOf(gradient(60, 44)).png().toBuffer());
});

const edit = (image: string, prompt: string, output: string, ...flags: string[]): Promise<Ended> =>
  quickEdit(
    image,
    { prompt, flags: ["-o", output, "--preserve", "off", "--no-safety-checker", "--json", ...flags] },
    { cwd: folder, env },
  );
const pixels = (name: string): Promise<Buffer> => sharp(path.join(folder, name)).raw().toBuffer();

describe("retouch edit", () => {
  it("offers the original, and makes from it what one edit with all instructions makes", async () => {
    const first = await edit("bird.png", "Make it night.", "b.png");
    expect([first.code, first.stderr]).toEqual([0, ""]);
    const second = await edit("b.png", "Add snow", "c.png");
    expect([second.code, second.stderr]).toEqual([
      0,
      "retouch: This is edit 2 in a row of one picture; with --from-original it is made from the original, by the instructions of all 2.\n",
    ]);
    const whole = await edit("b.png", "Add snow", "d.png", "--from-original");
    expect([whole.code, whole.stderr]).toEqual([0, ""]);
    const prompt = "Make it night, then Add snow";
    expect(JSON.parse(whole.stdout.toString())).toMatchObject({ output: "d.png", parameters: { prompt } });
    await edit("bird.png", prompt, "all.png");
    expect((await pixels("d.png")).equals(await pixels("all.png"))).toBe(true);
    // A result that is given away tells nobody what it was made of.
    const given = await readFile(path.join(folder, "d.png"), "latin1");
    for (const secret of ["snow", "bird", "night"]) expect(given).not.toContain(secret);
  });

  it("remembers nothing unless it is asked to", async () => {
    env["RETOUCH_HISTORY"] = "false";
    expect(await edit("bird.png", "Make it night", "b.png")).toMatchObject({ code: 0 });
    expect(await readdir(folder)).toEqual(["b.png", "bird.png"]);
    expect(await edit("b.png", "Add snow", "c.png", "--from-original")).toMatchObject({
      code: 2,
      stderr:
        "retouch: --from-original: the image is not a result that was remembered here; RETOUCH_HISTORY=true remembers results.\n",
    });
    expect(await edit("bird.png", "Make it night", "b.png", "--history")).toMatchObject({ code: 0 });
    expect(await readdir(path.join(folder, "cache"))).toContain("history.jsonl");
  });

  it("does the same where each image gets a result of its own", async () => {
    env["RETOUCH_HISTORY"] = "false";
    expect(await edit("bird.png", "Make it night.", "results/", "--history")).toMatchObject({ code: 0 });
    const night = path.join("results", "bird.edited.png");
    expect(await edit(night, "Add snow", "more/", "--history", "--from-original")).toMatchObject({ code: 0 });
    await edit("bird.png", "Make it night, then Add snow", "all.png");
    expect((await pixels("more/bird.edited.edited.png")).equals(await pixels("all.png"))).toBe(true);
  });
});
