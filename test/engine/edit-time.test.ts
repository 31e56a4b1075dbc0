/** Edits as long as the speeds of a device say, which are made up here. */
import { describe, expect, it } from "vitest";
import { editSeconds, loadSeconds } from "../../src/engine/edit-time.ts";
import { squareEdit } from "../../src/engine/extent.ts";
import { planMemory } from "../../src/engine/memory-plan.ts";
import { workloadOf } from "../../src/engine/workload.ts";
import { planKlein } from "../../src/pipelines/flux2-klein/components.ts";
import { PUBLISHED_KLEIN_CONFIGS, PUBLISHED_KLEIN_PLAN } from "../../src/pipelines/flux2-klein/published.ts";
import { PUBLISHED_PLAN } from "../../src/pipelines/flux1-kontext/published.ts";
import type { DeviceSpeed } from "../../src/runtime/device-speed.ts";

/** As fast as can be, but for what is said. */
const speedOf = (changes: Partial<DeviceSpeed>): DeviceSpeed => ({
  products: { float32: Infinity, float16: Infinity, int8: Infinity, int4: Infinity },
  attention: { float32: Infinity, float16: Infinity },
  convolutions: Infinity,
  runSeconds: 0,
  failures: {},
  ...changes,
});
const FAST = speedOf({}).products;
const KLEIN = squareEdit(512, PUBLISHED_KLEIN_PLAN.usual);
const kleinSeconds = (changes: Partial<DeviceSpeed>, options = {}, edit = KLEIN): number =>
  editSeconds(PUBLISHED_KLEIN_PLAN, "fp32", edit, { speed: speedOf(changes), ...options })!;

describe("the seconds of an edit", () => {
  it("are those of its attention, whatever the weights are", () => {
    const seconds = editSeconds(PUBLISHED_PLAN, "int8", squareEdit(1024), {
      speed: speedOf({ attention: { float32: 1e12 } }),
    })!;
    // 28 steps, 56 blocks of 8,704 tokens, and the last one for the target's 4,096; 3,072 channels.
    const steps = (28 * (56 * 8704 + 4096) * 8704 * 4 * 3072) / 1e12;
    expect(seconds / steps).toBeGreaterThan(1);
    expect(seconds / steps).toBeLessThan(1.005);
  });

  it("are those of the autoencoder's convolutions, 4.1 and 9.4 million operations a pixel", () => {
    const seconds = kleinSeconds({ convolutions: 1e12 });
    const perPixel = (seconds * 1e12) / 512 ** 2;
    expect(perPixel / 1e6).toBeCloseTo(13.5, 1);
    expect(kleinSeconds({ convolutions: 2e12 })).toBeCloseTo(seconds / 2);
    const two = kleinSeconds({ convolutions: 1e12 }, {}, squareEdit(512, PUBLISHED_KLEIN_PLAN.usual, 2));
    expect(two / seconds).toBeCloseTo(1 + 4.1 / 13.5, 2);
  });

  it("count tiles with what they have in common", () => {
    const whole = kleinSeconds({ convolutions: 1e12 });
    // Strides of 192 pixels: 256 + 256 + 128 in place of 512.
    const tiled = kleinSeconds({ convolutions: 1e12 }, { tileSide: 256 });
    expect(tiled / whole).toBeCloseTo((640 / 512) ** 2, 1);
  });

  it("are those of products in the weights' own type, where a network may have it", () => {
    const kinds = { transformer: "int8", qwen3: "int4" } as const;
    const seconds = (products: DeviceSpeed["products"]): number =>
      editSeconds(PUBLISHED_KLEIN_PLAN, kinds, KLEIN, { speed: speedOf({ products }) })!;
    const ofText = seconds({ ...FAST, int4: 1e12 });
    expect(ofText).toBeCloseTo(2.79, 2);
    // Four steps of 17.7 million millions, less attention.
    expect(seconds({ ...FAST, int8: 1e12 })).toBeCloseTo(4 * 15.7, 0);
  });

  it("are those of half precision in the blocks of the transformer only", () => {
    const half = { computeType: "float16" } as const;
    const all = kleinSeconds({ products: { ...FAST, float32: 1e12 } });
    const rest = kleinSeconds({ products: { ...FAST, float32: 1e12 } }, half);
    const blocks = kleinSeconds({ products: { ...FAST, float16: 1e12 } }, half);
    expect(rest + blocks).toBeCloseTo(all);
    expect(blocks).toBeGreaterThan(0.9 * all);
    // Where the device has no half precision, it is widened.
    expect(kleinSeconds({ products: { float32: 1e12 } }, half)).toBeCloseTo(all);
  });

  it("include every run, and every byte that travels", () => {
    // Text, encoder, modulation, embedders, four steps, decoder.
    expect(kleinSeconds({ runSeconds: 1 })).toBe(9);
    // The text's embeddings, 512 tokens of 7,680 numbers, come back once and go up once; embedded, they and 1,024 tokens of the
    // image have 3,072 numbers each, come back once, and go up with each step.
    const text = (512 * 7680 * 4) / 1e9;
    const states = ((512 + 1024) * 3072 * 4) / 1e9;
    const [up, down] = [kleinSeconds({ upBytes: 1e9 }), kleinSeconds({ downBytes: 1e9 })];
    expect(down).toBeGreaterThan(text + states);
    expect(down).toBeLessThan(1.5 * (text + states));
    expect(up).toBeGreaterThan(text + 4 * states);
    // Where they stay on the device, only 1,024 tokens of 128 numbers go up with each further step, as they come back.
    const held = { holdsTensors: true };
    const longer = { ...KLEIN, numSteps: KLEIN.numSteps + 10 };
    const steps = (10 * 1024 * 128 * 4) / 1e9;
    const once = kleinSeconds({ upBytes: 1e9 }, held);
    expect(once).toBeGreaterThan(text);
    expect(once).toBeLessThan(1.5 * (text + states));
    expect(kleinSeconds({ upBytes: 1e9 }, held, longer) - once).toBeCloseTo(steps, 3);
    const back = kleinSeconds({ downBytes: 1e9 }, held);
    expect(kleinSeconds({ downBytes: 1e9 }, held, longer) - back).toBeCloseTo(steps, 3);
    // Modulation's outputs are for the transformer alone.
    expect(back).toBeLessThan(down);
  });

  it("count the images, passes and steps of the model", () => {
    const products = { ...FAST, float32: 1e12 };
    const seconds = (changes: object, numImages = 1): number => {
      const plan = planKlein({ ...PUBLISHED_KLEIN_CONFIGS, ...changes });
      const edit = squareEdit(512, plan.usual, numImages);
      return editSeconds(plan, "fp32", edit, { speed: speedOf({ products }) })!;
    };
    // Four steps of a 3.88 billion weights' transformer over 512 tokens of text, 1,024 of the target and as many of the
    // image: two operations a weight and token.
    const steps = (4 * 2 * 3.88e9 * 2560) / 1e12;
    expect(seconds({}) / steps).toBeGreaterThan(0.8);
    expect(seconds({}) / steps).toBeLessThan(1.1);
    expect(seconds({ isDistilled: false }) / seconds({})).toBeGreaterThan(20);
    expect(seconds({ isDistilled: false }) / seconds({})).toBeLessThan(25);
    // The image passes once an edit.
    expect(seconds({ areReferencesKept: true })).toBeLessThan(0.85 * seconds({}));
    // Two more images are 2,048 more tokens, which the weights of the text do not see.
    expect((seconds({}, 3) - seconds({})) / steps).toBeGreaterThan(0.55);
    expect((seconds({}, 3) - seconds({})) / steps).toBeLessThan(2048 / 2560);
    expect(seconds({}, 0)).toBeLessThan(0.7 * seconds({}));
  });

  it("are not known if the device lacks a kernel", () => {
    const products = { float32: 1e12 };
    expect(
      editSeconds(PUBLISHED_KLEIN_PLAN, "int8", KLEIN, { speed: speedOf({ products }) }),
    ).toBeUndefined();
    expect(
      editSeconds(PUBLISHED_KLEIN_PLAN, "fp32", KLEIN, { speed: speedOf({ convolutions: undefined }) }),
    ).toBeUndefined();
  });
});

it("weights take the time in which their bytes travel to the device", () => {
  const plan = planMemory(PUBLISHED_KLEIN_PLAN, "int8", KLEIN, 24e9);
  expect(loadSeconds(plan, speedOf({ upBytes: 1e9 }))).toBeCloseTo(7.2, 1);
  expect(loadSeconds(plan, speedOf({}))).toBe(0);
});

it.each([
  ["FLUX.1 Kontext", PUBLISHED_PLAN, 24, ["3072 x 3072", "12288 x 3072", "3072 x 15360"]],
  ["FLUX.2 [klein]", PUBLISHED_KLEIN_PLAN, 24, ["27648 x 3072", "3072 x 12288", "18432 x 3072"]],
] as const)("what is measured for %s is what most of an edit is made of", (_, plan, numHeads, products) => {
  const workload = workloadOf(plan);
  expect(workload.products.map(({ size, columns }) => `${size} x ${columns}`).toSorted()).toEqual(
    products.toSorted(),
  );
  expect(workload.attention).toEqual({ length: 8704, numHeads, headSize: 128 });
  for (const list of [workload.products, workload.convolutions]) {
    expect(list.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  }
  expect(workload.products.every(({ rows }) => rows >= 4096)).toBe(true);
  expect(workload.convolutions).toContainEqual(
    expect.objectContaining({ inChannels: 256, outChannels: 256, side: 1024 }),
  );
});
