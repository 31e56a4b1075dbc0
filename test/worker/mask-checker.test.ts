/** Masks checked in another process: its answers, and what is left to the job where it gives none. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import {
  createMaskChecker,
  type MaskChecker,
  type MaskCheckerOptions,
} from "../../src/worker/mask-checker.ts";
import { root } from "../support/fixtures.ts";
import { grayPng } from "../support/gray-png.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const shipped = pathToFileURL(path.join(root, "dist", "worker", "mask-process.js"));
const maskOf = (...data: number[]): Promise<Uint8Array> =>
  grayPng({ width: data.length, height: 1, data: Uint8Array.from(data) });
const [white, black, wide] = await Promise.all([maskOf(0, 255), maskOf(0, 127), maskOf(255, 255, 255)]);

const reasons: string[] = [];
let checker: MaskChecker | undefined;
afterEach(() => {
  checker?.close();
  reasons.length = 0;
});
const open = (options: Partial<MaskCheckerOptions> = {}): MaskChecker =>
  (checker = createMaskChecker({
    maxPixels: 1000,
    entry: shipped,
    checkMs: 60_000,
    startMs: 60_000,
    onError: (reason) => reasons.push(reason),
    ...options,
  }));
/** A process that does something else. */
async function program(text: string): Promise<URL> {
  const file = path.join(await temporaryFolder(), "process.mjs");
  await writeFile(file, text);
  return pathToFileURL(file);
}
const about = (sentence: string | RegExp) => refusal("INVALID_PARAMETER", sentence);

describe("the checker of masks", () => {
  it("takes a mask, and refuses one that the edit would refuse, in the same words", async () => {
    const { check } = open();
    await check({ mask: white, image: white });
    await check({ mask: wide });
    const refused = [
      check({ mask: black }).catch((error: unknown) => error),
      check({ mask: wide, image: white }).catch((error: unknown) => error),
      check({ mask: white.subarray(0, 40) }).catch((error: unknown) => error),
      check({ mask: await maskOf(...Array.from({ length: 1001 }, () => 255)) }).catch(
        (error: unknown) => error,
      ),
    ];
    expect(await Promise.all(refused)).toEqual([
      about("mask: nothing of it is white, so nothing may change."),
      about("mask: it has 3 x 1 pixels, and the image 2 x 1."),
      about(/^mask: it is damaged/),
      about(/^mask: it has 1001 x 1 = 1,001 pixels/),
    ]);
    await check({ mask: white, image: black.subarray(0, 40) });
    expect(reasons).toEqual([]);
  });

  it("leaves a mask to its job where the process does not answer, ends or does not start", async () => {
    const silent = "process.send({ kind: 'ready' }); setInterval(() => {}, 1000);";
    await open({ entry: await program(silent), checkMs: 50 }).check({ mask: black });
    const dying = "process.on('message', () => process.exit(1)); process.send({ kind: 'ready' });";
    const dies = open({ entry: await program(dying) });
    await dies.check({ mask: black });
    await dies.check({ mask: black });
    await open({ entry: await program("process.exit(1);") }).check({ mask: black });
    expect(reasons).toEqual([
      "A mask could not be checked in time.",
      "A mask could not be checked in time.",
      "A mask could not be checked in time.",
      "The process that checks masks does not start.",
    ]);
  });

  it("starts another process after one that ended for want of masks", async () => {
    const { check } = open({ idleMs: 1 });
    for (let i = 0; i < 2; i += 1) {
      await expect(check({ mask: black })).rejects.toEqual(about(/nothing of it is white/));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(reasons).toEqual([]);
  });
});
