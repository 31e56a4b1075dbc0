import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import type { GrayPicture, Picture } from "../../src/images/picture.ts";
import { resizePicture } from "../../src/images/resize.ts";
import { compose, type ComposeOptions } from "../../src/preserve/compose.ts";
import type { PixelImage } from "../../src/preserve/render.ts";
import { changed, psnr, rawOf, scene } from "./scene.ts";

const SIDE = 512;
const WORKING = 128;
const source = scene(SIDE, SIDE);
const reduced = await resizePicture(source, WORKING, WORKING);
const inside = (x: number, y: number): boolean => (x - 250) ** 2 + (y - 270) ** 2 < 90 ** 2;
/** An object of another texture. */
const edited = changed(source, (colour, x, y) =>
  inside(x, y) ? [200 + 30 * Math.sin(x / 9), 40 + 20 * Math.cos(y / 7), 90] : colour,
);
const asImage = (picture: Picture): PixelImage => ({ ...picture, channels: 3 });

const composed = (raw: Picture, options: Partial<ComposeOptions> = {}) =>
  compose({ source: asImage(source), reduced, raw, mode: "auto", ...options });

/** Share of the pixels that `isMeant` means which are the source's own. */
function exactShare(data: ArrayLike<number>, isMeant: (x: number, y: number) => boolean): number {
  let [meant, exact] = [0, 0];
  for (let i = 0; i < data.length; i += 3) {
    if (!isMeant((i / 3) % SIDE, Math.floor(i / 3 / SIDE))) continue;
    meant += 1;
    if ([0, 1, 2].every((c) => data[i + c] === source.data[i + c])) exact += 1;
  }
  return exact / meant;
}

describe("a result on its source", () => {
  it("is the source where nothing was edited, even if the result was moved", async () => {
    const placement = { scaleX: 1.02, scaleY: 1.02, shiftX: -3, shiftY: 2 };
    const { picture, kept } = await composed(rawOf(source, WORKING, WORKING, { placement }));
    expect(exactShare(picture.data, () => true)).toBeGreaterThan(0.999);
    expect(kept.changedShare).toBeLessThan(0.001);
  });

  it("copies all but what an edit touched, in both modes", async () => {
    const raw = rawOf(edited, WORKING, WORKING);
    for (const mode of ["exact", "auto"] as const) {
      const { picture, kept } = await composed(raw, { mode });
      expect(exactShare(picture.data, (x, y) => !inside(x, y))).toBeGreaterThan(0.985);
      expect(exactShare(picture.data, inside)).toBeLessThan(0.03);
      const plain = await resizePicture(raw, SIDE, SIDE);
      expect(psnr(picture.data, edited.data)).toBeGreaterThan(psnr(plain.data, edited.data) + 6);
      const { shares } = kept;
      expect(shares.kept + shares.carried + shares.drawn).toBeCloseTo(1, 5);
      if (mode === "exact") expect(shares.carried).toBe(0);
    }
  });

  it.each([
    ["night", ([red, green, blue]: readonly number[]) => [red! * 0.3, green! * 0.35, blue! * 0.6 + 12]],
    [
      "sepia",
      ([red, green, blue]: readonly number[]) => {
        const grey = 0.3 * red! + 0.59 * green! + 0.11 * blue!;
        return [grey * 1.05, grey * 0.86, grey * 0.62];
      },
    ],
  ])("carries %s over to the source's detail, at least 4 dB nearer than enlargement", async (_, change) => {
    const truth = changed(source, change);
    const raw = rawOf(truth, WORKING, WORKING);
    const plain = await resizePicture(raw, SIDE, SIDE);
    const { picture, kept } = await composed(raw);
    expect(psnr(picture.data, truth.data)).toBeGreaterThan(psnr(plain.data, truth.data) + 4);
    expect(kept.shares.carried).toBeGreaterThan(0.9);
  });

  it("has no seam: at the outline of what was copied, steps are hardly larger than the truth's", async () => {
    const { picture } = await composed(rawOf(edited, WORKING, WORKING));
    let [sum, count] = [0, 0];
    const isExact = (i: number): boolean =>
      [0, 1, 2].every((c) => picture.data[i + c] === source.data[i + c]);
    for (let y = 1; y < SIDE; y++) {
      for (let x = 1; x < SIDE; x++) {
        const [i, left] = [(y * SIDE + x) * 3, (y * SIDE + x - 1) * 3];
        if (isExact(i) === isExact(left)) continue;
        for (let c = 0; c < 3; c++) {
          const step = Math.abs(picture.data[i + c]! - picture.data[left + c]!);
          sum += Math.max(step - Math.abs(edited.data[i + c]! - edited.data[left + c]!), 0);
          count += 1;
        }
      }
    }
    expect(count).toBeGreaterThan(100);
    expect(sum / count).toBeLessThan(4);
  });

  it("is the source beyond what a moved result covers, where an outline meets its border", async () => {
    const isPost = (x: number): boolean => x < 22;
    const [posted, postedEdit] = [source, edited].map((picture) =>
      changed(picture, (colour, x) => (isPost(x) ? [70, 45, 30] : colour)),
    ) as [Picture, Picture];
    const placement = { scaleX: 1, scaleY: 1, shiftX: -5.2, shiftY: 1.6 };
    const { picture } = await composed(rawOf(postedEdit, WORKING, WORKING, { placement }), {
      source: asImage(posted),
      reduced: await resizePicture(posted, WORKING, WORKING),
    });
    let [strip, exact] = [0, 0];
    for (let i = 0; i < picture.data.length; i += 3) {
      if ((i / 3) % SIDE >= 30) continue;
      strip += 1;
      if ([0, 1, 2].every((c) => picture.data[i + c] === posted.data[i + c])) exact += 1;
    }
    expect(exact / strip).toBeGreaterThan(0.95);
  });

  it("keeps sixteen bits and alpha where they are copied", async () => {
    const words = new Uint16Array(SIDE * SIDE * 4);
    for (let i = 0; i < SIDE * SIDE; i++) {
      for (let c = 0; c < 3; c++) words[i * 4 + c] = source.data[i * 3 + c]! * 257 - (i % 200 < 100 ? 0 : 1);
      words[i * 4 + 3] = i % 65_536;
    }
    const deep: PixelImage = { width: SIDE, height: SIDE, channels: 4, data: words };
    const { picture } = await composed(rawOf(edited, WORKING, WORKING), { source: deep });
    expect(picture.data).toBeInstanceOf(Uint16Array);
    let [exact, outside, otherAlpha] = [0, 0, 0];
    for (let i = 0; i < SIDE * SIDE; i++) {
      if (picture.data[i * 4 + 3] !== words[i * 4 + 3]) otherAlpha += 1;
      if (inside(i % SIDE, Math.floor(i / SIDE))) continue;
      outside += 1;
      if ([0, 1, 2].every((c) => picture.data[i * 4 + c] === words[i * 4 + c])) exact += 1;
    }
    expect(otherAlpha).toBe(0);
    expect(exact / outside).toBeGreaterThan(0.985);
    // What is drawn is in the same range.
    const centre = (270 * SIDE + 250) * 4;
    expect(Math.abs(picture.data[centre]! / 257 - edited.data[(270 * SIDE + 250) * 3]!)).toBeLessThan(12);
  });

  it("copies every pixel outside of a mask, and draws a map of what it did", async () => {
    const night = changed(source, ([red, green, blue]) => [red * 0.3, green * 0.4, blue * 0.6]);
    const mask: GrayPicture = { width: 2, height: 1, data: Uint8Array.of(0, 255) };
    const { picture, kept } = await composed(rawOf(night, WORKING, WORKING), { mask, isMapped: true });
    expect(exactShare(picture.data, (x) => x < SIDE / 4)).toBe(1);
    expect(exactShare(picture.data, (x) => x > (3 * SIDE) / 4)).toBeLessThan(0.05);
    expect(kept.map).toMatchObject({ width: SIDE, height: SIDE });
    expect(kept.map!.data[10 * SIDE + 10]).toBe(255);
    expect(Math.abs(kept.map!.data[200 * SIDE + 480]! - 128)).toBeLessThan(40);
  });

  it("is the same in threads", async () => {
    const large = scene(2000, 1600);
    const truth = changed(large, ([red, green, blue], x) =>
      x < 900 ? [red, green, blue] : [red * 0.4, green, blue],
    );
    const raw = rawOf(truth, 400, 320);
    const options = {
      source: asImage(large),
      reduced: await resizePicture(large, 400, 320),
      raw,
      mode: "auto",
    } as const;
    const dist = path.join(import.meta.dirname, "../../dist/preserve/render-thread.js");
    const mask = { width: 3, height: 2, data: Uint8Array.of(255, 255, 0, 255, 0, 255) };
    const inThreads = await compose({
      ...options,
      mask,
      isMapped: true,
      threads: 3,
      entry: pathToFileURL(dist),
    });
    const alone = await compose({ ...options, mask, isMapped: true, threads: 1 });
    expect(Buffer.compare(inThreads.kept.map!.data, alone.kept.map!.data)).toBe(0);
    expect(Buffer.compare(inThreads.picture.data as Uint8Array, alone.picture.data as Uint8Array)).toBe(0);
    expect(inThreads.kept.shares.carried).toBeCloseTo(alone.kept.shares.carried, 9);
  });

  it("fails if a thread cannot start", async () => {
    const large = { width: 2000, height: 1600, data: new Uint8Array(2000 * 1600 * 3) };
    const small = { width: 40, height: 32, data: new Uint8Array(40 * 32 * 3) };
    const entry = pathToFileURL(path.join(import.meta.dirname, "no-such-thread.js"));
    const failing = compose({
      source: asImage(large),
      reduced: small,
      raw: small,
      mode: "auto",
      threads: 2,
      entry,
    });
    await expect(failing).rejects.toThrow(/no-such-thread/);
  });

  it("carries a change of light over whole at the working size of large pictures too", async () => {
    const large = scene(1200, 960);
    const truth = changed(large, ([red, green, blue]) => {
      const grey = 0.3 * red + 0.59 * green + 0.11 * blue;
      return [grey * 1.05, grey * 0.86, grey * 0.62];
    });
    const { picture, kept } = await compose({
      source: asImage(large),
      reduced: await resizePicture(large, 800, 640),
      raw: rawOf(truth, 800, 640, {
        placement: { scaleX: 1.01, scaleY: 1.01, shiftX: -4, shiftY: -3 },
      }),
      mode: "auto",
    });
    expect(kept.shares.carried).toBeGreaterThan(0.99);
    expect(psnr(picture.data, truth.data)).toBeGreaterThan(38);
  });

  it("works for pictures of a few pixels", async () => {
    for (const [width, height] of [
      [1, 1],
      [1, 40],
      [30, 2],
    ] as const) {
      const small = { width, height, data: new Uint8Array(width * height * 3).fill(100) };
      const { picture } = await compose({ source: asImage(small), reduced: small, raw: small, mode: "auto" });
      expect([...picture.data]).toEqual([...small.data]);
    }
  });
});

describe("ten edits in a row", () => {
  it("lose at most 1 dB in what all leave alone, from the first to the tenth", async () => {
    const centres = Array.from(
      { length: 10 },
      (_, turn) => [60 + 40 * turn, 60 + ((turn * 170) % 380)] as const,
    );
    const isNear = (x: number, y: number, radius: number): boolean =>
      centres.some(([x0, y0]) => (x - x0) ** 2 + (y - y0) ** 2 < radius ** 2);
    // An edit's rim is two pixels of working size: what lies beyond it is the kept region of every turn.
    const keptRegion = (data: ArrayLike<number>): number => {
      let [sum, count] = [0, 0];
      for (let i = 0; i < data.length; i++) {
        const pixel = Math.floor(i / 3);
        if (isNear(pixel % SIDE, Math.floor(pixel / SIDE), 25 + (2 * SIDE) / WORKING)) continue;
        sum += (data[i]! - source.data[i]!) ** 2;
        count += 1;
      }
      return 10 * Math.log10((255 ** 2 * count) / Math.max(sum, count / 1000));
    };
    let current = source;
    let enlarged = source;
    const figures: number[] = [];
    const unpreserved: number[] = [];
    for (const [turn, [x0, y0]] of centres.entries()) {
      const edit = (picture: Picture): Picture =>
        changed(picture, (colour, x, y) =>
          (x - x0) ** 2 + (y - y0) ** 2 > 25 ** 2 ? colour : [255 - 20 * turn, 20 * turn, 120],
        );
      const placement = { scaleX: 1, scaleY: 1, shiftX: 0.4 * (turn % 3), shiftY: -0.3 * (turn % 2) };
      const options = { seed: 100 + turn, placement };
      const { picture } = await compose({
        source: asImage(current),
        reduced: await resizePicture(current, WORKING, WORKING),
        raw: rawOf(edit(current), WORKING, WORKING, options),
        mode: "auto",
      });
      current = { width: SIDE, height: SIDE, data: picture.data as Uint8Array };
      enlarged = await resizePicture(rawOf(edit(enlarged), WORKING, WORKING, options), SIDE, SIDE);
      figures.push(keptRegion(current.data));
      unpreserved.push(keptRegion(enlarged.data));
    }
    expect(figures[9]).toBeGreaterThan(figures[0]! - 1);
    expect(figures[9]).toBeGreaterThan(unpreserved[9]! + 20);
  });
});
