/** Weight files: safetensors, GGUF, converted ones, single files in other layouts, shard indices, LoRAs. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inRepository } from "../../tools/paths.ts";
import { type ErrorCode, RetouchError } from "../../src/errors.ts";
import { loraBytes, readLora } from "../../src/lora/read-lora.ts";
import { joinLoras } from "../../src/lora/join.ts";
import { originalAutoencoderSizes } from "../../src/models/layouts/autoencoder-sizes.ts";
import { originalAutoencoderLayout } from "../../src/models/layouts/original-autoencoder.ts";
import { originalFluxLayout } from "../../src/models/layouts/original-flux.ts";
import { originalFluxSizes } from "../../src/models/layouts/transformer-sizes.ts";
import { readFluxConfig } from "../../src/models/transformers/flux-config.ts";
import { createFindTarget } from "../../src/pipelines/flux1-kontext/lora-targets.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { Config } from "../../src/weights/config.ts";
import { readConverted } from "../../src/weights/converted.ts";
import { wantedOf } from "../../src/models/layouts/file-networks.ts";
import { GgufFile } from "../../src/weights/gguf-file.ts";
import { type GgufTensor, readGgufHeader } from "../../src/weights/gguf.ts";
import { readSafetensors } from "../../src/weights/safetensors.ts";
import { SingleFile } from "../../src/weights/single-file.ts";
import { mutateBytes } from "../mutate/bytes.ts";
import { jsonBytes } from "../mutate/json.ts";
import {
  ggufOf,
  type GgufTensorFields,
  partsOfSafetensors,
  headOf,
  type Safetensors,
  type SparseFile,
  safetensorsOf,
} from "../mutate/weights.ts";
import type { Random } from "../random.ts";
import { expect, type Target, target } from "../target.ts";

export const CHECKPOINT_CODES: readonly ErrorCode[] = [
  "CHECKPOINT_MISSING",
  "CHECKPOINT_INVALID",
  "CHECKPOINT_UNSUPPORTED",
];
const LORA_CODES: readonly ErrorCode[] = ["LORA_INVALID", "LORA_UNSUPPORTED"];
/** Tensors that inputs keep: with all of them, most time goes into writing what no input changes. */
const MAX_TENSORS = 24;

/** Writes a file whose end is zeros. */
function writeSparse(file: string, { start, size }: SparseFile): void {
  writeFileSync(file, start);
  if (size > start.length) truncateSync(file, size);
}
const show = ({ start, size }: SparseFile): string =>
  `${JSON.stringify(start.toString("latin1"))} (latin1), then zeros up to ${size} bytes`;

const FIXTURES = inRepository("test", "fixtures");
const PLAIN = path.join(FIXTURES, "checkpoints", "plain");

/** A file with a few of its tensors, and data of the right length. */
function cutDown(bytes: Buffer): Safetensors {
  const { header, data } = partsOfSafetensors(bytes);
  const { __metadata__: metadata, ...entries } = header as Record<string, { data_offsets: [number, number] }>;
  const kept = Object.entries(entries).slice(0, MAX_TENSORS);
  const end = Math.max(0, ...kept.map(([, { data_offsets: range }]) => range[1]));
  return {
    header: { ...(metadata ? { __metadata__: metadata } : {}), ...Object.fromEntries(kept) },
    data: data.subarray(0, Math.min(end, 64 * 1024)),
  };
}

const safetensorsIn = (folder: string): Safetensors[] =>
  readdirSync(path.join(FIXTURES, folder))
    .filter((name) => name.endsWith(".safetensors"))
    .map((name) => cutDown(readFileSync(path.join(FIXTURES, folder, name))));

/** Every tensor lies in the file, and its bytes fit its shape. */
function expectInside(
  tensors: ReadonlyMap<string, { byteOffset: number; byteLength: number }>,
  size: number,
): void {
  for (const [key, { byteOffset, byteLength }] of tensors) {
    expect(
      byteOffset >= 8 && byteLength >= 0 && byteOffset + byteLength <= size,
      `let ${key} reach beyond the file`,
    );
  }
}

const CONVERTED: Safetensors = {
  header: {
    __metadata__: {
      retouch_weights: "1",
      kind: "int8",
      source: "0123456789abcdef",
      matrices: JSON.stringify({ "a.weight": { bits: 8, blockSize: 32, columns: 64 } }),
      errors: JSON.stringify({ "a.weight": 0.01 }),
    },
    "a.weight": { dtype: "U8", shape: [2, 2, 32], data_offsets: [0, 128] },
    "a.weight.scales": { dtype: "F32", shape: [2, 2], data_offsets: [128, 144] },
    "a.bias": { dtype: "F32", shape: [2], data_offsets: [144, 152] },
  },
  data: Buffer.alloc(152),
};

/** The metadata are JSON within JSON: changed by themselves, too. */
function convertedOf(random: Random): SparseFile {
  const { header, data } = CONVERTED;
  const { __metadata__: metadata, ...entries } = header as { __metadata__: Record<string, string> };
  const changed = { ...metadata };
  for (const name of ["matrices", "errors"]) {
    if (random.chance(0.4)) changed[name] = jsonBytes([JSON.parse(metadata[name]!)], random).toString("utf8");
  }
  const whole = { header: { __metadata__: changed, ...entries }, data };
  if (random.chance(0.5)) return safetensorsOf([whole], random);
  const start = headOf(Buffer.from(JSON.stringify(whole.header)));
  return { start, size: start.length + data.length };
}

/** The tensors of the fixtures, as the writer takes them. */
async function ggufTensors(): Promise<GgufTensorFields[][]> {
  const of = async (name: string): Promise<GgufTensorFields[]> => {
    const tensors = await readGgufHeader(path.join(FIXTURES, "gguf", name));
    let offset = 0;
    return [...tensors].map(([key, tensor]: [string, GgufTensor]) => {
      const at = offset;
      offset += Math.ceil(tensor.byteLength / 32) * 32;
      const { shape, byteLength, type } = tensor;
      return {
        name: key,
        dims: [...shape].toReversed(),
        code: GGUF_CODES[type?.name ?? ""] ?? 0,
        offset: at,
        byteLength,
      };
    });
  };
  return Promise.all([of("flux.gguf"), of("types.gguf")]);
}
/** The numbers of the types in a file (ggml.h, `ggml_type`). */
const GGUF_CODES: Readonly<Record<string, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q5_0: 6,
  Q5_1: 7,
  Q8_0: 8,
  Q2_K: 10,
  Q3_K: 11,
  Q4_K: 12,
  Q5_K: 13,
  Q6_K: 14,
  BF16: 30,
};

/** Of the folders whose component a single file may replace. */
const configsOf = (component: string): Promise<Config[]> =>
  Promise.all(
    ["plain", "odd", "shifted"].map((name) =>
      Config.read(path.join(FIXTURES, "checkpoints", name, component, "config.json")),
    ),
  );

/** Arranges a file for each folder. @throws what the last one did, if the file fits none */
function arranged(folders: readonly Config[], arrange: (folder: Config | undefined) => unknown): void {
  let refusal: unknown;
  for (const folder of [undefined, ...folders]) {
    try {
      arrange(folder);
      return;
    } catch (error) {
      if (!(error instanceof RetouchError)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

const wholeGguf = (start: Buffer): SparseFile => ({ start, size: start.length });

export const TARGETS: readonly Target[] = [
  target<SparseFile>(
    { name: "safetensors", parser: "readSafetensors, src/weights/safetensors.ts", codes: CHECKPOINT_CODES },
    (folder) => {
      const corpus = [...safetensorsIn("single-files"), ...safetensorsIn("loras")];
      const file = path.join(folder, "model.safetensors");
      return {
        generate: (random) => safetensorsOf(corpus, random),
        show,
        async feed(input) {
          writeSparse(file, input);
          const { tensors, metadata } = await readSafetensors(file);
          expectInside(tensors, Math.max(input.size, input.start.length));
          for (const text of metadata.values())
            expect(typeof text === "string", "gave metadata that are no text");
        },
      };
    },
  ),
  target<SparseFile>(
    { name: "converted", parser: "readConverted, src/weights/converted.ts", codes: CHECKPOINT_CODES },
    (folder) => {
      const file = path.join(folder, "converted.safetensors");
      return {
        generate: convertedOf,
        show,
        async feed(input) {
          writeSparse(file, input);
          const { weights, errors } = await readConverted("transformer", file);
          for (const { relativeError } of errors) expect(relativeError >= 0, "gave an error that is none");
          for (const [key, weight] of weights.entries()) {
            if (!("blocks" in weight)) continue;
            const [rows, columns] = weight.shape;
            expect(
              rows >= 0 && columns > 0 && Number.isSafeInteger(rows * columns),
              `gave ${key} an odd shape`,
            );
          }
        },
      };
    },
  ),
  target<SparseFile>(
    { name: "single-file", parser: "SingleFile, src/weights/single-file.ts", codes: CHECKPOINT_CODES },
    async (folder) => {
      const [transformers, vaes] = [await configsOf("transformer"), await configsOf("vae")];
      const corpus = ["plain", "plain-fp8-scaled", "plain-ae", "odd-ae", "odd-comfy"].map((name) =>
        partsOfSafetensors(readFileSync(path.join(FIXTURES, "single-files", `${name}.safetensors`))),
      );
      const file = path.join(folder, "single.safetensors");
      return {
        generate: (random) => safetensorsOf(corpus, random),
        show,
        async feed(input) {
          writeSparse(file, input);
          const single = await SingleFile.open(file, wantedOf("transformer", "FLUX.1"));
          if (single.has("decoder.conv_in.weight")) {
            arranged(vaes, (folderOf) =>
              single.arrange("vae", originalAutoencoderLayout(originalAutoencoderSizes(single, folderOf))),
            );
          } else {
            arranged(transformers, (folderOf) =>
              single.arrange("transformer", originalFluxLayout(originalFluxSizes(single, folderOf))),
            );
          }
        },
      };
    },
  ),
  target<SparseFile>(
    { name: "gguf", parser: "GgufFile, src/weights/gguf.ts, gguf-file.ts", codes: CHECKPOINT_CODES },
    async (folder) => {
      const corpus = await ggufTensors();
      const transformers = await configsOf("transformer");
      const whole = readFileSync(path.join(FIXTURES, "gguf", "types.gguf"));
      const file = path.join(folder, "model.gguf");
      return {
        generate: (random) =>
          random.chance(0.9) ? ggufOf(random, random.pick(corpus)) : wholeGguf(mutateBytes(whole, random)),
        show,
        async feed(input) {
          writeSparse(file, input);
          const tensors = await readGgufHeader(file);
          expectInside(tensors, Math.max(input.size, input.start.length));
          const gguf = await GgufFile.open(file, wantedOf("transformer", "FLUX.1"));
          arranged(transformers, (folderOf) =>
            gguf.arrange(originalFluxLayout(originalFluxSizes(gguf, folderOf))),
          );
        },
      };
    },
  ),
  target<Buffer>(
    { name: "shard-index", parser: "Checkpoint.weights, src/weights/checkpoint.ts", codes: CHECKPOINT_CODES },
    async (folder) => {
      const shards = inRepository("test", "fixtures", "checkpoints", "sharded", "transformer");
      const names = readdirSync(shards);
      mkdirSync(path.join(folder, "transformer"));
      for (const name of names)
        writeFileSync(path.join(folder, "transformer", name), readFileSync(path.join(shards, name)));
      writeFileSync(path.join(folder, "model_index.json"), '{"_class_name":"FluxKontextPipeline"}');
      const indexName = names.find((name) => name.endsWith(".index.json"))!;
      const index = JSON.parse(readFileSync(path.join(shards, indexName), "utf8")) as {
        weight_map: Record<string, string>;
      };
      const few = {
        ...index,
        weight_map: Object.fromEntries(Object.entries(index.weight_map).slice(0, MAX_TENSORS)),
      };
      // Beside the component, where no index may reach.
      const shard = names.find((name) => name.endsWith(".safetensors"))!;
      copyFileSync(path.join(shards, shard), path.join(folder, "outside.safetensors"));
      const elsewhere = [
        "../outside.safetensors",
        "..",
        ".",
        "",
        `./${shard}`,
        path.join(folder, "outside.safetensors"),
      ];
      const [tensor] = (await readSafetensors(path.join(shards, shard))).tensors.keys();
      const outside = elsewhere.map((name) => ({ metadata: {}, weight_map: { [tensor!]: name } }));
      const checkpoint = await Checkpoint.open(folder);
      return {
        generate: (random) => jsonBytes(random.chance(0.8) ? [few, few, index] : outside, random),
        async feed(bytes) {
          writeFileSync(path.join(folder, "transformer", indexName), bytes);
          const weights = await checkpoint.weights("transformer");
          for (const [, weight] of weights.entries()) {
            const file = "file" in weight ? weight.file : "";
            expect(path.dirname(file) === path.join(checkpoint.folder, "transformer"), `read ${file}`);
          }
        },
      };
    },
  ),
  target<SparseFile>(
    { name: "lora", parser: "readLora, src/lora", codes: LORA_CODES, maxMiB: 500 },
    async (folder) => {
      const config = readFluxConfig(await Config.read(path.join(PLAIN, "transformer", "config.json")));
      const findTarget = createFindTarget(config);
      const corpus = safetensorsIn("loras");
      const whole = readdirSync(path.join(FIXTURES, "loras"))
        .filter((name) => name.endsWith(".safetensors") && name !== "velocities.safetensors")
        .map((name) => partsOfSafetensors(readFileSync(path.join(FIXTURES, "loras", name))));
      const file = path.join(folder, "lora.safetensors");
      return {
        generate: (random) => safetensorsOf(random.chance(0.3) ? whole : corpus, random, true),
        show,
        async feed(input) {
          writeSparse(file, input);
          const size = await loraBytes(file);
          expect(Number.isFinite(size) && size >= 0, `says that it takes ${size} bytes`);
          const lora = await readLora(file, findTarget);
          for (const { down, up } of joinLoras([{ file, lora, scale: 1 }]).values()) {
            expect(down.every(Number.isFinite), "let numbers through that are none");
            expect(!up.some(Number.isNaN), "scaled to what is no number");
          }
        },
      };
    },
  ),
];
