import { writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { buildModel } from "../../src/onnx/graph.ts";
import { ALL_FORMS } from "../../src/onnx/kernel-forms.ts";
import { type DeviceSpeed, measureDeviceSpeed, type SpeedWorkload } from "../../src/runtime/device-speed.ts";
import { measureApart, type SpeedOrder } from "../../src/runtime/measure-apart.ts";
import { Session } from "../../src/runtime/session.ts";
import {
  attentionGraph,
  convolutionGraph,
  downGraph,
  emptyGraph,
  PRODUCT_TYPES,
  productGraph,
  type SpeedGraph,
  upGraph,
} from "../../src/runtime/speed-graphs.ts";
import { root } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";

const SHAPE = { rows: 64, columns: 256, size: 40 };
const WORKLOAD: SpeedWorkload = {
  products: [
    { ...SHAPE, share: 0.75 },
    { rows: 64, columns: 128, size: 128, share: 0.25 },
  ],
  attention: { length: 48, numHeads: 2, headSize: 16 },
  convolutions: [{ inChannels: 8, outChannels: 12, side: 40, share: 1 }],
};
const NO_LIMIT = { maxBytes: Infinity };
const ORDER: SpeedOrder = { runtime: { threads: 1, device: "cpu" }, workload: WORKLOAD, msPerFigure: 5 };
const entry = pathToFileURL(path.join(root, "dist", "runtime", "speed-process.js"));

async function outputOf(graph: SpeedGraph, amount: number) {
  const model = buildModel("speed", graph.outputs);
  const session = await Session.load(model, { name: "speed", weightsFolder: root, threads: 1 });
  const feeds = graph.feeds(amount);
  const { y } = await session.run(feeds);
  await session.dispose();
  return { feeds, shape: y!.shape, data: y!.data as Float32Array };
}

describe("a graph that a speed is measured with", () => {
  it.each(PRODUCT_TYPES)(
    "multiplies in %s as many rows as it is told, and gives one of them",
    async (type) => {
      const graph = productGraph(SHAPE, type, { floats: "float32", accuracyLevel: 4, ...NO_LIMIT });
      expect(graph.most).toBe(64);
      expect(graph.work(48)).toBe(2 * 48 * 256 * 40);
      const { feeds, shape, data } = await outputOf(graph, 48);
      expect(feeds["ones"]!.shape).toEqual([48, 1]);
      expect(feeds["x"]!.shape).toEqual([1, 256]);
      expect(shape).toEqual([1, 40]);
      expect(data.every((value) => Number.isFinite(value) && value !== 0)).toBe(true);
      // The weight's rows differ.
      expect(new Set(data).size).toBeGreaterThan(4);
      // The graph itself is far smaller than the weight of a published network.
      const large = { rows: 64, columns: 3072, size: 3072 };
      const options = { floats: "float32", accuracyLevel: 4, ...NO_LIMIT } as const;
      expect(buildModel("speed", productGraph(large, type, options).outputs).byteLength).toBeLessThan(
        2 ** 20,
      );
    },
  );

  it("cuts what is larger than a tensor may be", () => {
    const options = { floats: "float32", accuracyLevel: 4, maxBytes: 2 ** 15 } as const;
    const { outputs, most, work } = productGraph(SHAPE, "float32", options);
    // 32 rows of 256 numbers.
    expect(outputs["y"]!.shape).toEqual([1, 32]);
    expect(most).toBe(32);
    expect(work(1)).toBe(2 * 256 * 32);
    expect(convolutionGraph(WORKLOAD.convolutions[0]!, { maxBytes: 12 * 400 * 4 }).most).toBe(20);
    expect(upGraph(2 ** 15).most).toBe(8);
  });

  it("attends over as many tokens as it is told", async () => {
    const graph = attentionGraph(WORKLOAD.attention!, "float32");
    expect([graph.most, graph.work(10)]).toEqual([48, 4 * 10 * 10 * 32]);
    const { feeds, shape, data } = await outputOf(graph, 10);
    expect(feeds["ones"]!.shape).toEqual([1, 10, 1]);
    expect(shape).toEqual([1, 32]);
    // Tokens that are alike attend to what they are.
    expect(Math.max(...data.map((value, at) => Math.abs(value - Number(feeds["x"]!.data[at]))))).toBeLessThan(
      1e-5,
    );
  });

  it("convolves a square", async () => {
    const graph = convolutionGraph(WORKLOAD.convolutions[0]!, NO_LIMIT);
    expect([graph.most, graph.work(10)]).toEqual([40, 2 * 9 * 8 * 12 * 100]);
    const { feeds, shape } = await outputOf(graph, 10);
    expect(feeds["ones"]!.shape).toEqual([1, 1, 10, 10]);
    expect(shape).toEqual([1, 12, 1, 1]);
  });

  it("sends bytes there, or back, or next to none", async () => {
    const up = upGraph(Infinity);
    expect([up.most, up.work(3)]).toEqual([2 ** 15, 3 * 4096]);
    const sent = await outputOf(up, 3);
    expect([sent.feeds["x"]!.shape, sent.shape]).toEqual([
      [3, 1024],
      [1, 1024],
    ]);
    const back = await outputOf(downGraph(Infinity), 3);
    expect([back.feeds["x"]!.shape, back.shape]).toEqual([
      [1, 1024],
      [3, 1024],
    ]);
    expect((await outputOf(emptyGraph(), 1)).shape).toEqual([1, 1024]);
  });
});

/** Everything but half precision, which is not for the processor. */
function expectFigures({ products, attention, convolutions, runSeconds, failures }: DeviceSpeed): void {
  expect(failures).toEqual({});
  for (const figure of [products.float32, products.int8, products.int4, attention.float32, convolutions]) {
    expect(figure).toBeGreaterThan(1e6);
    expect(figure).toBeLessThan(1e15);
  }
  expect(runSeconds).toBeGreaterThan(0);
  expect(runSeconds).toBeLessThan(10);
}

describe("the speed of a device", () => {
  it("has every figure of the processor, to which nothing travels", async () => {
    const seen: DeviceSpeed[] = [];
    const speed = await measureDeviceSpeed({ threads: 1 }, WORKLOAD, {
      msPerFigure: 5,
      onFigure: (figure) => seen.push(figure),
    });
    expectFigures(speed);
    expect(Object.keys(speed.products)).toEqual(["float32", "int8", "int4"]);
    expect([speed.upBytes, speed.downBytes]).toEqual([undefined, undefined]);
    expect(seen).toHaveLength(5);
    expect(seen.at(-1)).toEqual(speed);
    expect(seen[0]!.products).toEqual({ float32: speed.products.float32 });
  });

  it("has no figure of what fails, and says why", async () => {
    const workload = { ...WORKLOAD, attention: undefined, convolutions: [] };
    const runtime = { threads: 1, forms: { ...ALL_FORMS, maxTensorBytes: 100 } };
    // Not even a row fits.
    const { products, failures } = await measureDeviceSpeed(runtime, workload, {
      types: ["float32"],
      msPerFigure: 1,
    });
    expect(products).toEqual({});
    expect(failures).toEqual({ float32: "no tensor is large enough for it" });
  });
});

describe("a speed that is measured apart", () => {
  /** A process that does this instead, as an address. */
  async function processOf(program: string): Promise<URL> {
    const file = path.join(await temporaryFolder(), "process.mjs");
    await writeFile(file, program);
    return pathToFileURL(file);
  }
  const speed: DeviceSpeed = { products: { float32: 1 }, attention: {}, runSeconds: 1, failures: {} };
  const figure = `process.send({ kind: "figure", speed: ${JSON.stringify(speed)} });`;

  it("is that of the processor", async () => {
    const measured = await measureApart(ORDER, { entry });
    expect(measured.reason).toBeUndefined();
    expectFigures(measured.speed!);
  });

  it("is what was known when the process crashed, and how it ended", async () => {
    const crash = `process.on("message", () => { ${figure} setTimeout(() => process.kill(process.pid, "SIGSEGV"), 100); });`;
    expect(await measureApart(ORDER, { entry: await processOf(crash) })).toEqual({
      speed,
      reason: "measuring it ends with SIGSEGV",
    });
  });

  it("has as much time again for each figure", async () => {
    const done = figure.replace('"figure"', '"done"');
    const slow = `process.on("message", () => {
      for (const ms of [1500, 3000, 4500]) setTimeout(() => { ${figure} }, ms);
      setTimeout(() => { ${done} }, 6000);
    });`;
    const measured = await measureApart(ORDER, { entry: await processOf(slow), timeoutMs: 5000 });
    expect(measured).toEqual({ speed, reason: undefined });
  });

  it("is what was known after its time", async () => {
    const idle = `process.on("message", () => ${figure.slice(0, -1)});`;
    expect(await measureApart(ORDER, { entry: await processOf(idle), timeoutMs: 6000 })).toEqual({
      speed,
      reason: "it does not answer within 6 s",
    });
  });

  it("is none where nothing runs", async () => {
    const measured = await measureApart({ ...ORDER, runtime: { threads: 1, device: "dml" } }, { entry });
    expect(measured).toEqual({ speed: undefined, reason: expect.stringMatching(/does not load/) });
  });
});
