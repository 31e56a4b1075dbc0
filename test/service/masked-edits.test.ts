/** Everything that editors ask for in one edit: a mask, 16 bits of Display P3, several results, exact copies and their map. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wideSpaceOf } from "../../src/images/colour-space.ts";
import { deepOf } from "../../src/images/convert-deep.ts";
import { toDataUrl } from "../../src/images/data-url.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { decodeSource } from "../../src/images/decode-source.ts";
import type { DeepPicture } from "../../src/images/deep-picture.ts";
import { encodeDeep } from "../../src/images/encode.ts";
import { readProfile } from "../../src/images/icc.ts";
import { writeProfile } from "../../src/images/icc-write.ts";
import { CHECKPOINT, ONE_THREAD, retouch } from "../cli/run.ts";
import { fixtures } from "../support/fixtures.ts";
import { grayPng } from "../support/gray-png.ts";
import { type Answer, realEngine, startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary.ts";

const SIDE = 64;
const isRight = (pixel: number): boolean => pixel % SIDE >= SIDE / 2;
const PROMPT = "Make it night";
const P3 = [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329] as const;

let server: TestService;
/** With numbers that no 8-bit picture has. */
let deep: DeepPicture;
let image: Uint8Array;
let mask: Uint8Array;
beforeAll(async () => {
  const settings = { RETOUCH_CHECKPOINT: CHECKPOINT, RETOUCH_SAFETY: "off" };
  server = await startTestService({ database: "PGlite", engine: realEngine, settings });
  const scene = await decodePicture(await readFile(path.join(fixtures, "pictures", "scene-64x64.png")));
  const icc = writeProfile(P3, { kind: "srgb" });
  const space = wideSpaceOf({ kind: "profile", profile: readProfile(icc)! }, icc)!;
  deep = deepOf(scene, { space, depth: 16 });
  for (let i = 0; i < deep.data.length; i += 3) deep.data[i] = Math.min(deep.data[i]! + 77, 65_535);
  image = await encodeDeep(deep, "png");
  const half = Uint8Array.from({ length: SIDE * SIDE }, (_, pixel) => (isRight(pixel) ? 255 : 0));
  mask = await grayPng({ width: SIDE, height: SIDE, data: half });
});
afterAll(() => server.close());

const edit = (input: object): Promise<Answer> =>
  server.call("/runsync", {
    body: {
      input: {
        prompt: PROMPT,
        image: toDataUrl("image/png", image),
        mask: toDataUrl("image/png", mask),
        seed: 1,
        num_inference_steps: 2,
        num_images: 2,
        size: "source",
        preserve: "auto",
        enable_mask_output: true,
        ...input,
      },
    },
  });
const fetched = async (url: string): Promise<Buffer> => Buffer.from(await (await fetch(url)).arrayBuffer());

/** 16 bits in Display P3, of which the left half is the image's, number for number, and the right half is not. */
async function checkResult(file: Uint8Array, map: Uint8Array): Promise<DeepPicture> {
  const result = (await decodeSource(file)).deep;
  expect([result.width, result.height, result.data.constructor]).toEqual([SIDE, SIDE, Uint16Array]);
  expect(result.space.icc).toEqual(deep.space.icc);
  const other = { left: 0, right: 0 };
  for (let pixel = 0; pixel < SIDE * SIDE; pixel += 1) {
    const isSame = [0, 1, 2].every((k) => result.data[3 * pixel + k] === deep.data[3 * pixel + k]);
    if (!isSame) other[isRight(pixel) ? "right" : "left"] += 1;
  }
  expect(other.left).toBe(0);
  expect(other.right).toBeGreaterThan((SIDE * SIDE) / 8);
  const { data, info } = await sharp(map).toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([SIDE, SIDE]);
  expect([...data].every((value, pixel) => isRight(pixel) || value === 255)).toBe(true);
  expect([...data].some((value) => value < 255)).toBe(true);
  return result;
}

interface OneOutput {
  url: string;
  mask_url: string;
  seed: number;
  preserve_shares: Record<string, number>;
}

describe("an edit with everything", () => {
  it("is right over the wire, and the same by the command", async () => {
    const { status, body } = await edit({});
    expect([status, body.status]).toEqual([200, "COMPLETED"]);
    const outputs = body.output.images as OneOutput[];
    expect(outputs.map(({ seed }) => seed)).toEqual([1, 2]);
    const results: DeepPicture[] = [];
    for (const { url, mask_url: mapUrl, preserve_shares: shares } of outputs) {
      results.push(await checkResult(await fetched(url), await fetched(mapUrl)));
      expect(Object.values(shares).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 3);
    }
    expect(results[0]!.data).not.toEqual(results[1]!.data);

    const folder = await temporaryFolder();
    const at = (name: string): string => path.join(folder, name);
    await Promise.all([writeFile(at("image.png"), image), writeFile(at("mask.png"), mask)]);
    const flags = ["--mask", at("mask.png"), "--mask-out", at("map.png"), "--preserve", "auto", "-n", "2"];
    const others = ["--size", "source", "--seed", "1", "--steps", "2", "--no-safety-checker", ...ONE_THREAD];
    const run = ["edit", at("image.png"), PROMPT, "-o", at("out.png"), "--checkpoint", CHECKPOINT];
    const { code, stderr } = await retouch([...run, ...flags, ...others, "--quiet"]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const [index, result] of results.entries()) {
      const [file, map] = [`out-${index + 1}.png`, `map-${index + 1}.png`];
      const own = await checkResult(await readFile(at(file)), await readFile(at(map)));
      expect(own.data).toEqual(result.data);
    }
  });

  it("is refused at once, with 400 and the name of the field, where the mask cannot be used", async () => {
    const black = await grayPng({ width: SIDE, height: SIDE, data: new Uint8Array(SIDE * SIDE) });
    const small = await grayPng({ width: 2, height: 1, data: Uint8Array.of(255, 255) });
    const sentences: string[] = [];
    for (const bytes of [black, small, mask.subarray(0, mask.length - 30)]) {
      const { status, body } = await edit({ mask: toDataUrl("image/png", bytes) });
      expect([status, body.status]).toEqual([400, "FAILED"]);
      sentences.push(body.error);
    }
    expect(sentences).toEqual([
      "mask: nothing of it is white, so nothing may change.",
      "mask: it has 2 x 1 pixels, and the image 64 x 64.",
      expect.stringMatching(/^mask: it is damaged or cut short/),
    ]);
    expect((await server.call("/requests")).body.requests).toHaveLength(1);
  });
});
