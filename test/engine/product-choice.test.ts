/** Which kernel each shape of matrix gets, what is kept of the choice, and what an engine makes of it. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { psnrOf } from "../../src/images/psnr.ts";
import { Component } from "../../src/engine/component.ts";
import { readModelPlan } from "../../src/engine/forecast.ts";
import { SHIPPED_CHECKPOINT } from "../../src/engine/shipped.ts";
import { createEngine, type Engine, type EngineOptions } from "../../src/engine/engine.ts";
import {
  type ChosenProducts,
  fastest,
  isExact,
  parseChoice,
  productsText,
} from "../../src/engine/product-choice.ts";
import { decodePicture } from "../../src/images/decode.ts";
import type { ProductKernel } from "../../src/onnx/forms/products.ts";
import { floats, input } from "../../src/onnx/graph.ts";
import { mul } from "../../src/onnx/ops.ts";
import type { KernelSpeed } from "../../src/runtime/product-speed.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import { root } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";

const speed = (kernel: ProductKernel, seconds: number, drawn = 38, largest = 48): KernelSpeed => ({
  kernel,
  seconds,
  isSteady: true,
  decibels: kernel === "float32" ? { drawn: Infinity, largest: Infinity } : { drawn, largest },
});

describe("of the kernels of a shape", () => {
  it("the fastest is taken", () => {
    const speeds = [speed("float32", 10), speed("rows", 4), speed("blocks", 6)];
    expect(fastest(speeds)).toEqual({ kernel: "rows", seconds: { float32: 10, rows: 4, blocks: 6 } });
  });

  it("one that is wrong is not used, however fast it is", () => {
    expect(fastest([speed("float32", 10), speed("rows", 4, 30), speed("blocks", 6)]).kernel).toBe("blocks");
    // Right on drawn numbers, and with sums that overflow.
    const overflowing = fastest([speed("float32", 10), speed("rows", 4, 38, 6), speed("blocks", 20)]);
    expect(overflowing).toEqual({ kernel: "float32", seconds: { float32: 10, blocks: 20 } });
  });

  it("float32 stays where another is hardly faster", () => {
    expect(fastest([speed("float32", 10), speed("rows", 9.5)]).kernel).toBe("float32");
  });
});

const CHOSEN: ChosenProducts = {
  shapes: [
    { rows: 160, columns: 256, size: 1024, kernel: "rows", seconds: { float32: 2, rows: 1 } },
    { rows: 160, columns: 1280, size: 256, kernel: "float32", seconds: { float32: 1, rows: 1 } },
  ],
  decibels: 37,
};
const kept = (fields: object): Uint8Array =>
  Buffer.from(
    JSON.stringify({ format: "retouch-products", version: 1, isSteady: true, ...CHOSEN, ...fields }),
  );

describe("a choice", () => {
  it("names the shapes that are rounded", () => {
    expect(productsText(CHOSEN)).toBe("rows 256x1024");
    expect(isExact(CHOSEN)).toBe(false);
    const exact = { shapes: CHOSEN.shapes.slice(1) };
    expect(productsText(exact)).toBeUndefined();
    expect(isExact(exact)).toBe(true);
  });

  it("is read as it was kept", () => {
    expect(parseChoice(kept({}), CHOSEN.shapes)).toEqual(CHOSEN);
  });

  it.each([
    ["another version", kept({ version: 2 })],
    ["what a busy machine measured", kept({ isSteady: false })],
    ["other shapes", kept({ shapes: CHOSEN.shapes.toReversed() })],
    [
      "a kernel that there is not",
      kept({ shapes: CHOSEN.shapes.map((shape) => ({ ...shape, kernel: "odd" })) }),
    ],
    ["no shapes", kept({ shapes: 1 })],
    ["no JSON", Buffer.from("{")],
    ["too much", Buffer.alloc(2 << 20, " ")],
    ["nothing", undefined],
  ])("is made again where %s was kept", (_, bytes) => {
    expect(parseChoice(bytes, CHOSEN.shapes)).toBeUndefined();
  });

  it("leaves what comes before the single-stream blocks in float32, and the output layer", async () => {
    const { components } = await readModelPlan(SHIPPED_CHECKPOINT);
    const roundable = (key: string): string[] =>
      components.filter(({ isRoundable }) => isRoundable?.(key)).map(({ trial }) => trial!.part);
    expect(roundable("single_transformer_blocks.0.proj_mlp.weight")).toEqual([
      "the first blocks of the transformer",
    ]);
    for (const key of ["x_embedder.weight", "transformer_blocks.0.attn.to_q.weight", "proj_out.weight"]) {
      expect(roundable(key)).toEqual([]);
    }
  });
});

it("a network is loaded again where the next edit computes in float32 throughout, and back", async () => {
  const x = input("x", "float32", [1]);
  const component = new Component("one", {
    outputs: { y: mul(x, floats([2])) },
    exactOutputs: { y: mul(x, floats([3])) },
    weights: new WeightSet("one", new Map()),
    runtime: { threads: 1 },
  });
  const run = async (): Promise<number> => {
    const { y } = await (await component.load()).run({ x: { data: Float32Array.of(1), shape: [1] } });
    return Number(y!.data[0]);
  };
  expect(await run()).toBe(2);
  component.compute({ isExact: true });
  expect(await run()).toBe(3);
  const loaded = await component.load();
  component.compute({ isExact: true });
  expect(await component.load()).toBe(loaded);
  component.compute({ isExact: false });
  expect(await run()).toBe(2);
  await component.release();
});

describe("an engine", () => {
  const request = {
    prompt: "make it night",
    seed: 5,
    numSteps: 6,
    size: { width: 128, height: 128 },
  };
  const open = async (options: EngineOptions): Promise<Engine> => {
    const engine = await createEngine({ threads: 1, device: "cpu", safety: { isOn: false }, ...options });
    onTestFinished(() => engine.close());
    return engine;
  };
  const image = (): Promise<Uint8Array> => readFile(path.join(root, "examples", "fox.png"));
  const pixelsOf = async (bytes: Uint8Array): Promise<Uint8Array> => (await decodePicture(bytes)).data;

  /** Makes a folder in which every shape is chosen to have this kernel, whatever is fast here. */
  async function folderWith(kernel: ProductKernel, cacheFolder: string): Promise<void> {
    await open({ cacheFolder });
    const folder = path.join(cacheFolder, "products");
    const [name] = await readdir(folder);
    const file = path.join(folder, name!);
    const found = JSON.parse(await readFile(file, "utf8")) as ChosenProducts;
    const shapes = found.shapes.map((shape) => ({ ...shape, kernel }));
    await writeFile(file, JSON.stringify({ ...found, shapes, isSteady: true }));
  }

  it("computes as was chosen before, near to float32, and in float32 if asked", async () => {
    const cacheFolder = await temporaryFolder();
    await folderWith("rows", cacheFolder);
    const rounding = await open({ cacheFolder });
    expect(rounding.arithmetic).toBe("fp32 with int8 products");
    const exact = await open({ cacheFolder, weights: "fp32" });
    expect(exact.arithmetic).toBe("fp32");
    expect(exact.products).toBeUndefined();
    const one = await exact.edit({ ...request, image: await image() });
    const other = await rounding.edit({ ...request, image: await image() });
    expect(one.arithmetic).toBe("fp32");
    expect(other.arithmetic).toBe("fp32 with int8 products");
    expect(other.image).not.toEqual(one.image);
    expect(psnrOf(await pixelsOf(one.image), await pixelsOf(other.image))).toBeGreaterThan(40);
    // Beyond what rounding leaves, an edit with a promise computes in float32.
    const promised = { ...request, numSteps: 4, image: await image(), acceleration: "auto" as const };
    expect((await rounding.edit({ ...promised, minPsnr: 60 })).arithmetic).toBe("fp32");
    expect((await rounding.edit({ ...promised, minPsnr: 34 })).arithmetic).toBe("fp32 with int8 products");
    expect((await exact.edit({ ...promised, minPsnr: 60 })).image).toEqual(
      (await rounding.edit({ ...promised, minPsnr: 60 })).image,
    );
  });

  it("computes in float32 where that was chosen, and says so", async () => {
    const cacheFolder = await temporaryFolder();
    await folderWith("float32", cacheFolder);
    const engine = await open({ cacheFolder });
    expect(engine.arithmetic).toBe("fp32");
    expect(engine.products!.shapes.length).toBeGreaterThan(0);
    const exact = await open({ cacheFolder, weights: "fp32" });
    const both = [];
    for (const one of [engine, exact]) {
      both.push((await one.edit({ ...request, numSteps: 1, image: await image() })).image);
    }
    expect(both[0]).toEqual(both[1]);
  });
});
