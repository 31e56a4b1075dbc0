/** The README's commands do what it says. */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { decodePicture } from "../src/images/decode.ts";
import { resizePicture } from "../src/images/resize.ts";
import { psnr } from "./support/compare.ts";
import { root } from "./support/fixtures.ts";

const run = promisify(execFile);
const readPicture = async (name: string) => decodePicture(await readFile(path.join(root, name)));
const readme = await readFile(path.join(root, "README.md"), "utf8");

describe("npm run edit", () => {
  it("makes the picture that the README shows, and says where it is and with which parameters", async () => {
    await rm(path.join(root, "out", "bluebird.png"), { force: true });
    const { stdout } = await run("npm", ["run", "--silent", "edit"], { cwd: root });
    for (const shown of ["out/bluebird.png", "seed", "28", "guidance", "1024"])
      expect(stdout).toContain(shown);

    const picture = await readPicture("out/bluebird.png");
    expect([picture.width, picture.height]).toEqual([1024, 1024]);
    const committed = await readPicture("docs/images/bluebird-in-space.png");
    expect(psnr(picture.data, committed.data)).toBeGreaterThanOrEqual(45);
    // An edit that did nothing would be near its source, and a failed one uniform.
    const source = await resizePicture(await readPicture("examples/bluebird.png"), 1024, 1024);
    expect(psnr(picture.data, source.data)).toBeLessThan(20);
    const mean = picture.data.reduce((sum, value) => sum + value, 0) / picture.data.length;
    const variance = picture.data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / picture.data.length;
    expect(Math.sqrt(variance)).toBeGreaterThan(20);
  });
});

describe("the README's program", () => {
  it("runs as it stands", async () => {
    const program = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
    const folder = path.join(root, ".cache");
    await mkdir(folder, { recursive: true });
    const file = path.join(folder, "readme-program.mjs");
    await writeFile(file, program!);
    const { stdout } = await run(process.execPath, [file], { cwd: root });
    expect(stdout.trim().split("\n").at(-1)).toBe("28/28");
    await rm(file);
  });
});
