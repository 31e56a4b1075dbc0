/**
 * Asks onnxruntime's CUDA provider, on a machine without a GPU, which kernels it has, and what it would leave to the
 * processor of every network of every test checkpoint. Writes the kernels to `test/fixtures/cuda-kernels.json`; ends
 * with 1 if a node is left or a graph fails. docs/devices.md, "Proven without a GPU".
 * Usage: npm run cuda:kernels; Linux on x64 with gcc, nm and Python 3.11 or later
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { COMPUTE_TYPES } from "../../src/onnx/dtype.ts";
import { buildModel, input, operatorsOf, OPSETS, type Value } from "../../src/onnx/graph.ts";
import { attention, cast, toFloat32 } from "../../src/onnx/ops.ts";
import { builtNetworks, type BuiltNetwork, inputShapes, SOURCES } from "../../tools/networks.ts";
import { inRepository } from "../../tools/paths.ts";
import { PROVIDER } from "../cuda.mjs";

const CACHE = inRepository(".cache", "cuda-kernels");
const STUBS = path.join(CACHE, "stubs");
const PYTHON = path.join(CACHE, "venv", "bin", "python");
const FIXTURE = inRepository("test", "fixtures", "cuda-kernels.json");

/** A graph on disk, as `placement.py` reads it. */
interface Exported {
  name: string;
  model: string;
  weights: string;
  isWideningDelayed: boolean;
  /** Shapes to run it with, by input; null for one that is only loaded. */
  inputs: Record<string, number[]> | null;
}

interface Placed {
  name: string;
  nodes: number;
  left: Record<string, number>;
  isRun: boolean;
  error: string | null;
}

const python = (command: string, ...args: string[]): string => run(command, args);

function run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): string {
  const done = spawnSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, LD_LIBRARY_PATH: STUBS, ORT_DISABLE_TELEMETRY: "1", ...environment },
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 28,
  });
  if (done.status !== 0) throw new Error(`${command} ${args[0]} ends with ${done.status ?? done.signal}.`);
  return done.stdout;
}

const script = (name: string): string => inRepository("scripts", "cuda-kernels", name);

/** Installs onnxruntime-gpu beside nothing else, once, and writes the libraries that it looks for. */
function prepare(): void {
  const wanted = `${PROVIDER.project}==${PROVIDER.version}`;
  if (!existsSync(PYTHON)) python("python3", "-m", "venv", path.dirname(path.dirname(PYTHON)));
  python(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted);
  python(PYTHON, script("stubs.py"), STUBS);
}

async function writeKernels(): Promise<void> {
  const printed = python(PYTHON, script("registry.py"), String(OPSETS[""]), String(OPSETS["com.microsoft"]));
  const { source, opsets, operators } = JSON.parse(printed) as Record<string, object>;
  const lines = Object.entries(operators!).map(
    ([name, operator]) => `    ${JSON.stringify(name)}: ${JSON.stringify(operator)}`,
  );
  const head = [`"source": ${JSON.stringify(source)}`, `"opsets": ${JSON.stringify(opsets)}`];
  await writeFile(FIXTURE, `{\n  ${head.join(",\n  ")},\n  "operators": {\n${lines.join(",\n")}\n  }\n}\n`);
}

/** Convolutions are plans of cuDNN's, which only cuDNN can make: their networks are loaded and not run. */
const isRun = ({ outputs }: BuiltNetwork): boolean =>
  operatorsOf(outputs).every(({ opType }) => opType !== "Conv");

async function exportGraphs(folder: string): Promise<string> {
  const graphs: Exported[] = [];
  for await (const built of builtNetworks(SOURCES, path.join(folder, "weights"))) {
    const { source, network, kind, computeType, isAdaptable, outputs, weights } = built;
    const name = [source, network, kind, computeType, ...(isAdaptable ? ["adaptable"] : [])].join(" ");
    const model = path.join(folder, `${graphs.length}.onnx`);
    await writeFile(model, buildModel(network, outputs));
    const inputs = isRun(built) ? inputShapes(built) : null;
    graphs.push({
      name,
      model,
      weights: weights.baseFolder,
      isWideningDelayed: weights.isKeptHalf,
      inputs,
    });
  }
  const list = path.join(folder, "graphs.json");
  await writeFile(list, JSON.stringify(graphs));
  return list;
}

async function placeGraphs(): Promise<void> {
  const folder = path.join(CACHE, "graphs");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const printed = python(PYTHON, script("placement.py"), await exportGraphs(folder));
    const placed = printed
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Placed);
    report(placed);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Heads of the published transformers, and rows enough for every kernel: 8,704 would take the memory of a GPU. */
const ATTENTION = { numHeads: 24, headSize: 128, rows: 2048 };
/** onnxruntime then prints which kernel attention takes, such as `SdpaKernel=FLASH_ATTENTION`. */
const TELLS_ATTENTION = { ORT_ENABLE_ATTENTION_KERNEL_DEBUG_INFO: "1" };

/** Which kernel attention takes in each type: in half precision, it has to be flash attention. */
async function attentionKernels(): Promise<void> {
  const { numHeads, headSize, rows } = ATTENTION;
  const shape = [1, rows, numHeads * headSize];
  const [model, list] = [path.join(CACHE, "attention.onnx"), path.join(CACHE, "attention.json")];
  for (const type of COMPUTE_TYPES) {
    const [query, key, value] = ["query", "key", "value"].map((name) =>
      cast(input(name, "float32", [1, "rows", numHeads * headSize]), type),
    ) as [Value, Value, Value];
    const attended = toFloat32(attention(query, key, value, { numHeads }));
    await writeFile(model, buildModel("attention", { attended }));
    const inputs = { query: shape, key: shape, value: shape };
    const graph = { name: type, model, weights: CACHE, isWideningDelayed: false, inputs };
    await writeFile(list, JSON.stringify([graph]));
    const printed = run(PYTHON, [script("placement.py"), list], TELLS_ATTENTION);
    const kernel = /SdpaKernel=(\w+)/.exec(printed)?.[1];
    process.stdout.write(`attention in ${type}: ${kernel}\n`);
    if (type !== "float32" && kernel !== "FLASH_ATTENTION") process.exitCode = 1;
  }
}

function report(placed: readonly Placed[]): void {
  for (const { name, left, error } of placed) {
    if (error !== null) process.stdout.write(`${name}: ${error}\n`);
    for (const [operator, count] of Object.entries(left)) {
      process.stdout.write(`${name}: ${count} ${operator} on the processor\n`);
    }
  }
  const sum = (count: (graph: Placed) => number): number =>
    placed.reduce((total, graph) => total + count(graph), 0);
  const leftOf = ({ left }: Placed): number => Object.values(left).reduce((total, count) => total + count, 0);
  const [nodes, left] = [sum(({ nodes: count }) => count), sum(leftOf)];
  const [numRun, failed] = [sum(({ isRun: one }) => Number(one)), sum(({ error }) => Number(error !== null))];
  process.stdout.write(
    `${placed.length} graphs, ${numRun} of them run: ${nodes} nodes on CUDA, ${left} on the processor; ${failed} graphs fail\n`,
  );
  if (left > 0 || failed > 0) process.exitCode = 1;
}

await mkdir(CACHE, { recursive: true });
prepare();
await writeKernels();
await attentionKernels();
await placeGraphs();
