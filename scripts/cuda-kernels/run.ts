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
import { buildModel, operatorsOf, OPSETS } from "../../src/onnx/graph.ts";
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
  error: string | null;
}

function python(command: string, ...args: string[]): string {
  const done = spawnSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, LD_LIBRARY_PATH: STUBS, ORT_DISABLE_TELEMETRY: "1" },
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
  await writeFile(
    FIXTURE,
    `{\n  ${head.join(",\n  ")},\n  "operators": {\n${lines.join(",\n")}\n  }\n}\n`,
  );
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
  const [nodes, left, failed] = [sum(({ nodes }) => nodes), sum(leftOf), sum(({ error }) => Number(error !== null))];
  process.stdout.write(
    `${placed.length} graphs: ${nodes} nodes on CUDA, ${left} on the processor; ${failed} graphs fail\n`,
  );
  if (left > 0 || failed > 0) process.exitCode = 1;
}

await mkdir(CACHE, { recursive: true });
prepare();
await writeKernels();
await placeGraphs();
