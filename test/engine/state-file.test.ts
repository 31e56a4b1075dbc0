import { describe, expect, it } from "vitest";
import {
  decodeState,
  differences,
  type EditState,
  encodeState,
  MAX_STATE_BYTES,
} from "../../src/engine/state-file.ts";

const STATE: EditState = {
  step: 3,
  of: 28,
  numImages: 1,
  finished: [],
  others: [],
  latents: Float32Array.from({ length: 24 }, (_, index) => Math.fround(index / 7 - 1)),
  latentShape: [6, 4],
  memory: {
    previousVelocity: { data: Float32Array.of(1, -0, NaN, Infinity), shape: [2, 2] },
    "generator.position": { data: Int32Array.of(-624), shape: [1] },
    "cache.skipped": { data: Uint8Array.of(1, 0, 1), shape: [3] },
    drawn: { data: BigInt64Array.of(2n ** 60n), shape: [] },
  },
  edit: "e".repeat(64),
  environment: {
    build: "1.0.0 abc",
    runtime: "onnxruntime 1",
    device: "cpu float32",
    processor: "a processor",
    weights: "int8",
    tiles: "undefined",
  },
  changed: ["processor"],
};

describe("the file of a state", () => {
  it("gives back all of it, numbers to the bit", () => {
    const decoded = decodeState(encodeState(STATE));
    expect(decoded).toEqual(STATE);
    expect(Object.is((decoded.memory["previousVelocity"]!.data as Float32Array)[1], -0)).toBe(true);
  });

  it("gives back the finished ones of several images, too", () => {
    const several: EditState = {
      ...STATE,
      numImages: 4,
      finished: [
        {
          latents: STATE.latents.map((value) => value + 1),
          reuse: { computedSteps: 9, reusedSteps: 19, error: 0.1 },
        },
        { latents: STATE.latents.map((value) => value - 1) },
      ],
    };
    expect(decodeState(encodeState(several))).toEqual(several);
  });

  it("of one image is as earlier versions wrote it", () => {
    const { numImages: _, finished: __, ...earlier } = STATE;
    const text = Buffer.from(encodeState(STATE)).toString("latin1");
    expect(text).not.toMatch(/numImages|finished/);
    expect(decodeState(encodeState({ ...earlier, numImages: 1, finished: [] }))).toEqual(STATE);
  });

  it("is a safetensors file that says what it is", () => {
    const bytes = Buffer.from(encodeState(STATE));
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE()))) as {
      __metadata__: Record<string, string>;
    };
    expect(header).toMatchObject({
      latents: { dtype: "F32", shape: [6, 4], data_offsets: [0, 96] },
      "memory.cache.skipped": { dtype: "U8", shape: [3] },
    });
    expect(header.__metadata__).toMatchObject({
      format: "retouch-edit-state",
      version: "1",
      step: "3",
      of: "28",
    });
  });

  it("is refused with any bit changed, cut off anywhere, and with more at its end than before", () => {
    const bytes = encodeState({ ...STATE, memory: {} });
    for (let at = 0; at < bytes.length; at += 1) {
      for (const bit of [1, 16, 128]) {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= bit;
        expect(() => decodeState(changed), `byte ${at}`).toThrow();
      }
      expect(() => decodeState(bytes.subarray(0, at)), `${at} bytes`).toThrow();
    }
  });

  it.each<[string, Partial<EditState>, string]>([
    ["before the first step", { step: 0 }, "was kept after step 0 of 28"],
    ["after the last", { step: 29 }, "was kept after step 29 of 28"],
    ["after half a step", { step: 1.5 }, "was kept after step 1.5 of 28"],
    [
      "with as many finished images as there are",
      { numImages: 2, finished: [1, 2].map(() => ({ latents: STATE.latents })) },
      "has 2 finished images of 2",
    ],
    ["with another number of latents than it says", { latentShape: [6, 5] }, "is damaged"],
  ])("is refused if it was kept %s", (_, changes, reason) => {
    expect(() => decodeState(encodeState({ ...STATE, ...changes }))).toThrow(reason);
  });

  it.each([
    ["nothing", new Uint8Array(), "is damaged: it ends after 0 bytes, inside the header"],
    ["a picture", Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"), "is damaged: its header claims"],
    ["a header of something else", Buffer.from("0200000000000000{}", "latin1"), "is damaged"],
  ])("is refused where there is %s instead", (_, bytes, reason) => {
    expect(() => decodeState(bytes)).toThrow(reason);
  });

  it("is not made of more than it may hold", () => {
    const data = new Uint8Array(MAX_STATE_BYTES);
    expect(() => encodeState({ ...STATE, memory: { cache: { data, shape: [data.length] } } })).toThrow(
      RangeError,
    );
  });
});

describe("two environments", () => {
  it("differ by name", () => {
    const { environment } = STATE;
    expect(differences(environment, environment)).toEqual([]);
    expect(differences(environment, { ...environment, build: "2", weights: "int4" })).toEqual([
      "build",
      "weights",
    ]);
  });
});
