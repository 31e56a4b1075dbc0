/** Whole networks written as our own files, and read back through the runtime. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { linear } from "../../src/models/layers.ts";
import { byteSizeOf } from "../../src/onnx/dtype.ts";
import { input } from "../../src/onnx/graph.ts";
import { dequantizeRows, quantizeRows } from "../../src/quantize/blocks.ts";
import { quantize, type QuantizeOptions } from "../../src/quantize/quantize.ts";
import { storedSource } from "../../src/quantize/stored-source.ts";
import { readConverted, type WeightKind } from "../../src/weights/converted.ts";
import { readSafetensors, readSafetensorsHeader } from "../../src/weights/safetensors.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import type { SourceWeight, WeightSource } from "../../src/weights/weight-source.ts";
import { difference } from "../support/compare.ts";
import { root } from "../support/fixtures.ts";
import { evaluate, tensor, wave } from "../support/onnx.ts";
import { refusal } from "../support/refusal.ts";
import { float32, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";

const KILLED = fileURLToPath(new URL("killed.mjs", import.meta.url));
const [ROWS, COLUMNS] = [6, 200];
const MATRIX = wave(ROWS * COLUMNS);

async function newSource(): Promise<WeightSource> {
  const file = path.join(await temporaryFolder(), "model.safetensors");
  await writeSafetensors(file, {
    "blocks.0.up.weight": float32(MATRIX, [ROWS, COLUMNS]),
    "blocks.0.up.bias": float32(wave(ROWS, 1)),
    "blocks.0.norm1.linear.weight": float32(wave(2 * 128, 2), [2, 128]),
    "double_stream_modulation_img.linear.weight": float32(wave(2 * 128, 6), [2, 128]),
    "time_guidance_embed.timestep_embedder.linear_1.weight": float32(wave(2 * 128, 7), [2, 128]),
    "shared.weight": float32(wave(2 * 128, 3), [2, 128]),
    "x_embedder.weight": float32(wave(2 * 128, 4), [2, 128]),
    "blocks.0.narrow.weight": float32(wave(2 * 127, 5), [2, 127]),
  });
  return storedSource(new WeightSet("network", await readSafetensorsHeader(file)));
}

const HASH = "0123456789abcdef".repeat(4);
const newFile = async (): Promise<string> => path.join(await temporaryFolder(), "made", "int8.safetensors");

describe("a network", () => {
  it.each<[WeightKind, Record<string, string>]>([
    ["fp16", { up: "F16", modulation: "F16", table: "F16", edge: "F16", narrow: "F16" }],
    ["bf16", { up: "BF16", modulation: "BF16", table: "BF16", edge: "BF16", narrow: "BF16" }],
    ["int8", { up: "8 bits", modulation: "8 bits", table: "F16", edge: "F32", narrow: "F32" }],
    ["int4", { up: "4 bits", modulation: "8 bits", table: "F16", edge: "F32", narrow: "F32" }],
  ])("in %s has each weight in its format", async (kind, expected) => {
    const file = await newFile();
    const { byteLength } = await quantize(await newSource(), kind, file, { hash: HASH });
    expect((await readFile(file)).length).toBe(byteLength);
    const converted = await readConverted("network", file);
    expect([converted.kind, converted.source]).toEqual([kind, HASH]);
    const weights = new Map(converted.weights.entries());
    const formatOf = (key: string): string => {
      const weight = weights.get(key)!;
      return "blocks" in weight ? `${weight.bits} bits` : (weight as { storedType: string }).storedType;
    };
    expect({
      up: formatOf("blocks.0.up.weight"),
      modulation: formatOf("blocks.0.norm1.linear.weight"),
      table: formatOf("shared.weight"),
      edge: formatOf("x_embedder.weight"),
      narrow: formatOf("blocks.0.narrow.weight"),
    }).toEqual(expected);
    expect(formatOf("double_stream_modulation_img.linear.weight")).toBe(expected["modulation"]);
    expect(formatOf("time_guidance_embed.timestep_embedder.linear_1.weight")).toBe(expected["edge"]);
    expect(formatOf("blocks.0.up.bias")).toBe("F32");
    for (const { byteOffset, dtype } of (await readSafetensorsHeader(file)).values()) {
      expect(byteOffset % byteSizeOf(dtype!)).toBe(0);
    }
  });

  it.each<[WeightKind, number]>([
    ["fp16", 3e-4],
    ["bf16", 2.5e-3],
    ["int8", 5e-3],
    ["int4", 0.1],
  ])("in %s computes about the same, and says how far it is off", async (kind, tolerance) => {
    const file = await newFile();
    const { errors } = await quantize(await newSource(), kind, file, { hash: HASH });
    const own = errors.find(({ key }) => key === "blocks.0.up.weight")!;
    expect(own.relativeError).toBeGreaterThan(0);
    expect(own.relativeError).toBeLessThan(tolerance);
    const { weights, errors: read } = await readConverted("network", file, { accuracyLevel: 1 });
    expect(read).toEqual(
      errors.map(({ key, relativeError }) => ({ key, relativeError: Number(relativeError.toPrecision(4)) })),
    );
    const y = linear(weights.scope("blocks.0"), "up", input("x", "float32", [COLUMNS, COLUMNS]), ROWS, {
      hasBias: false,
    });
    const identity = Array.from({ length: COLUMNS ** 2 }, (_, at) => (at % (COLUMNS + 1) === 0 ? 1 : 0));
    const { data } = await evaluate(y, { x: tensor(identity, [COLUMNS, COLUMNS]) }, weights.baseFolder);
    const stored = MATRIX.map((_, at) => data[(at % COLUMNS) * ROWS + Math.floor(at / COLUMNS)]!);
    // The graph's matrix is the file's, and the reported error is the graph's.
    expect(difference(stored, MATRIX).relative).toBeCloseTo(own.relativeError, 7);
  });

  it("with a number that is too large for fp16 is refused, and leaves nothing", async () => {
    const file = path.join(await temporaryFolder(), "model.safetensors");
    await writeSafetensors(file, { "up.weight": float32([1, 70_000], [1, 2]) });
    const source = storedSource(new WeightSet("network", await readSafetensorsHeader(file)));
    const target = await newFile();
    await expect(quantize(source, "fp16", target, { hash: HASH })).rejects.toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        "network: the weight up.weight holds 70000, which is too large for float16.",
      ),
    );
    expect(await readdir(path.dirname(target))).toEqual([]);
  });
});

/** So many numbers that threads are worth it, in parts that are not all of one length. */
function largeSource(changed: Partial<Record<number, number>> = {}): WeightSource {
  const shape = [4001, 1024];
  return {
    name: "network",
    files: [],
    byteLength: 1,
    *weights() {
      const rows = (from: number, to: number): Promise<Float32Array> => {
        const values = new Float32Array((to - from) * 1024);
        for (let at = 0; at < values.length; at += 1) values[at] = (((at * 37) % 113) - 56) / 7;
        values[0] = changed[from] ?? from;
        return Promise.resolve(values);
      };
      yield { key: "up.weight", shape, rows };
    },
  };
}

describe("a large network", () => {
  const threadEntry = pathToFileURL(path.join(root, "dist", "quantize", "convert-thread.js"));

  it.each<WeightKind>(["int4", "bf16"])(
    "in %s has the same bytes from any number of threads",
    async (kind) => {
      const [one, three] = [await newFile(), await newFile()];
      const progress: number[] = [];
      const expected = await quantize(largeSource(), kind, one, { hash: HASH, threads: 1 });
      const made = await quantize(largeSource(), kind, three, {
        hash: HASH,
        threads: 3,
        threadEntry,
        onProgress: ({ done, of }) => progress.push(done / of),
      });
      expect(made).toEqual(expected);
      expect(made.errors.map(({ relativeError }) => relativeError > 0)).toEqual([true]);
      expect((await readFile(three)).equals(await readFile(one))).toBe(true);
      expect(progress).toEqual(progress.toSorted((a, b) => a - b));
      expect(progress.at(-1)).toBe(1);
    },
  );

  it("with a number that is not finite is refused, and leaves nothing", async () => {
    const file = await newFile();
    const options = { hash: HASH, threads: 2, threadEntry };
    await expect(quantize(largeSource({ 512: NaN }), "int8", file, options)).rejects.toThrow(
      refusal("CHECKPOINT_INVALID", /^network: the weight up\.weight holds numbers that are not finite\.$/),
    );
    expect(await readdir(path.dirname(file))).toEqual([]);
  });

  it("is interrupted while threads round it, and leaves nothing", async () => {
    const [file, controller] = [await newFile(), new AbortController()];
    const failure: unknown = await quantize(largeSource(), "int8", file, {
      hash: HASH,
      threads: 2,
      threadEntry,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    }).catch((error: unknown) => error);
    expect((failure as { code: string }).code).toBe("ABORTED");
    expect(await readdir(path.dirname(file))).toEqual([]);
  });

  it.each([
    ["fail", "throw new Error('Out of luck.');", "Out of luck."],
    ["end", "", "A thread that rounds weights has ended."],
  ])("is given up when its threads %s, and leaves nothing", async (_, program, message) => {
    const file = await newFile();
    const entry = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
    const options = { hash: HASH, threads: 2, threadEntry: entry };
    await expect(quantize(largeSource(), "int8", file, options)).rejects.toThrow(message);
    expect(await readdir(path.dirname(file))).toEqual([]);
  });
});

describe("blocks that the source has", () => {
  const format = { bits: 8, blockSize: 32 } as const;
  const own = quantizeRows(Float32Array.from(MATRIX), COLUMNS, format);
  const sourceWith = (reads: unknown[]): WeightSource => ({
    name: "network",
    files: [],
    byteLength: 1,
    *weights(): Iterable<SourceWeight> {
      const values = dequantizeRows(own, COLUMNS, format);
      yield {
        key: "up.weight",
        shape: [ROWS, COLUMNS],
        rows: (from, to) => {
          reads.push("rows");
          return Promise.resolve(values.slice(from * COLUMNS, to * COLUMNS));
        },
        blocks: {
          ...format,
          read: (from, to) => {
            reads.push(from, to);
            return Promise.resolve({
              blocks: own.blocks.slice(from * 7 * 32, to * 7 * 32),
              scales: own.scales.slice(from * 7, to * 7),
            });
          },
        },
      };
    },
  });

  it("are taken as they are where the kind has as many bits, and no numbers are read", async () => {
    const [file, reads] = [await newFile(), [] as unknown[]];
    const { errors } = await quantize(sourceWith(reads), "int8", file, { hash: HASH });
    expect(errors).toEqual([{ key: "up.weight", format, relativeError: 0 }]);
    expect(reads).toEqual([0, ROWS]);
    const { tensors } = await readSafetensors(file);
    const { byteOffset, byteLength } = tensors.get("up.weight")!;
    expect(new Uint8Array((await readFile(file)).subarray(byteOffset, byteOffset + byteLength))).toEqual(
      own.blocks,
    );
  });

  it("are rounded anew where it has not", async () => {
    const [file, reads] = [await newFile(), [] as unknown[]];
    const { errors } = await quantize(sourceWith(reads), "int4", file, { hash: HASH });
    expect(errors[0]!.format).toEqual({ bits: 4, blockSize: 128 });
    expect(reads).toEqual(["rows"]);
  });
});

describe("a conversion that does not end well", () => {
  const failing = async (
    options: Omit<QuantizeOptions, "hash">,
    source?: WeightSource,
  ): Promise<[unknown, string[]]> => {
    const file = await newFile();
    const failure = await quantize(source ?? (await newSource()), "int8", file, {
      hash: HASH,
      ...options,
    }).catch((error: unknown) => error);
    return [failure, await readdir(path.dirname(file))];
  };

  it("leaves nothing when it is interrupted", async () => {
    const controller = new AbortController();
    const [failure, left] = await failing({
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect([(failure as { code: string }).code, left]).toEqual(["ABORTED", []]);
  });

  it("leaves nothing when its source fails", async () => {
    const source = await newSource();
    const broken: WeightSource = {
      ...source,
      *weights() {
        for (const weight of source.weights()) {
          yield { ...weight, rows: () => Promise.reject(new Error("The disk is gone.")) };
        }
      },
    };
    const [failure, left] = await failing({}, broken);
    expect([failure, left]).toEqual([new Error("The disk is gone."), []]);
  });

  it("is not begun where the disk has too little room", async () => {
    const [failure, left] = await failing({ freeBytes: () => Promise.resolve(1000) });
    expect(failure).toEqual(
      refusal("OUTPUT_UNWRITABLE", /int8\.safetensors needs 1 MB, and 1 MB are free there\.$/),
    );
    expect(left).toEqual([]);
  });

  it("says what the system says when a folder cannot be made", async () => {
    const file = path.join(await temporaryFolder(), "file");
    await writeFile(file, "");
    await expect(
      quantize(await newSource(), "int8", path.join(file, "int8.safetensors"), { hash: HASH }),
    ).rejects.toThrow(refusal("OUTPUT_UNWRITABLE", /cannot be written: E/));
  });

  it("keeps the file that was there, and is no whole file before its end", async () => {
    const file = await newFile();
    await quantize(await newSource(), "int8", file, { hash: HASH });
    const before = await readFile(file);
    const controller = new AbortController();
    let partial: Promise<unknown> | undefined;
    await quantize(await newSource(), "int4", file, {
      hash: HASH,
      signal: controller.signal,
      onProgress: () => {
        partial ??= readdir(path.dirname(file)).then((names) =>
          readSafetensorsHeader(
            path.join(
              path.dirname(file),
              names.find((name) => name.endsWith(".partial"))!,
            ),
          ),
        );
        partial.catch(() => {});
        controller.abort();
      },
    }).catch(() => {});
    await expect(partial).rejects.toThrow();
    expect(await readFile(file)).toEqual(before);
  });

  it("leaves no file when its process is killed, and the next one clears up and succeeds", async () => {
    const file = await newFile();
    const child = fork(KILLED, [file]);
    await once(child, "message");
    child.kill("SIGKILL");
    await once(child, "exit");
    const [leftover, ...more] = await readdir(path.dirname(file));
    expect([leftover, more]).toEqual([expect.stringMatching(/\.partial$/), []]);
    await utimes(path.join(path.dirname(file), leftover!), 1, 1);
    await quantize(await newSource(), "int8", file, { hash: HASH });
    expect(await readdir(path.dirname(file))).toEqual([path.basename(file)]);
    expect((await readConverted("network", file)).kind).toBe("int8");
  });

  it("is cleaned up after by the next one, but for what is still being written", async () => {
    const file = await newFile();
    await quantize(await newSource(), "int8", file, { hash: HASH });
    const leftover = (end: string): string => `${file}.${end}.partial`;
    const [dead, alive] = [leftover("0".repeat(36)), leftover("1".repeat(36))];
    await Promise.all([writeFile(dead, "x"), writeFile(alive, "x"), writeFile(`${file}.other`, "x")]);
    await utimes(dead, 1, 1);
    await utimes(`${file}.other`, 1, 1);
    await quantize(await newSource(), "int8", file, { hash: HASH });
    expect([existsSync(dead), existsSync(alive), existsSync(`${file}.other`)]).toEqual([false, true, true]);
  });
});
