/**
 * Loads networks on WebGPU, runs each once on numbers without meaning, there and on the CPU, and prints a `Placement` as
 * JSON for each, one a line. Usage: node BUNDLE [CHECKPOINT ...], in an environment with a device.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { operatorsOf } from "../../src/onnx/graph.ts";
import { DeviceMemory } from "../../src/runtime/device-memory.ts";
import { loadSession } from "../../src/runtime/load.ts";
import type { RuntimeOptions, Tensor } from "../../src/runtime/session.ts";
import { type BuiltNetwork, builtNetworks, inputShapes, SOURCES } from "../../tools/networks.ts";
import { type Placement, readProfile } from "./placement.ts";

type Outputs = Record<string, Tensor>;

/** Numbers without a pattern, -1 to 1, or the first row of a table. */
function feedsOf(network: BuiltNetwork): Record<string, Tensor> {
  const inputs = operatorsOf(network.outputs).flatMap((operator) => operator.inputs);
  const types = new Map(
    inputs.flatMap((value) => (value?.origin.kind === "input" ? [[value.origin.name, value.dtype]] : [])),
  );
  const feeds = Object.entries(inputShapes(network)).map(([name, shape], phase): [string, Tensor] => {
    const length = shape.reduce((product, dim) => product * dim, 1);
    const data =
      types.get(name) === "int64"
        ? new BigInt64Array(length)
        : Float32Array.from({ length }, (_, index) => Math.sin(index * 1.7 + phase));
    return [name, { data, shape }];
  });
  return Object.fromEntries(feeds);
}

async function runOnce(network: BuiltNetwork, runtime: RuntimeOptions): Promise<Outputs> {
  const session = await loadSession(network.outputs, network.weights, runtime);
  try {
    return await session.run(feedsOf(network));
  } finally {
    await session.dispose();
  }
}

/** The largest relative difference of an output from the CPU's. */
function differenceOf(actual: Outputs, expected: Outputs): number {
  return Math.max(
    ...Object.entries(expected).map(([name, { data }]) => {
      let [squares, reference] = [0, 0];
      for (const [index, value] of (data as Float32Array).entries()) {
        squares += ((actual[name]!.data as Float32Array)[index]! - value) ** 2;
        reference += value ** 2;
      }
      return Math.sqrt(squares / (reference || 1));
    }),
  );
}

async function placementOf(built: BuiltNetwork, folder: string): Promise<Placement> {
  const { source: checkpoint, network, kind: weights, isAdaptable } = built;
  const profilePrefix = path.join(folder, "profile");
  const outputs = await runOnce(built, { threads: 0, device: "webgpu", profilePrefix });
  const name = (await readdir(folder)).find((entry) => entry.startsWith("profile"));
  const file = path.join(folder, name!);
  const operators = readProfile(await readFile(file, "utf8"));
  await rm(file);
  const difference = differenceOf(outputs, await runOnce(built, { threads: 0 }));
  return { checkpoint, network, weights, isAdaptable, operators, difference };
}

const wanted = new Set(process.argv.slice(2));
const sources = SOURCES.filter(({ name }) => wanted.has(name));
const folder = await mkdtemp(path.join(tmpdir(), "retouch-placement-"));
// With its last session the device would forget the kernels that it has compiled, which most networks need again.
const memory = await DeviceMemory.open({ threads: 0, device: "webgpu" });
try {
  // Products in float32, as an engine has them on a GPU.
  for await (const built of builtNetworks(sources, path.join(folder, "weights"), { accuracyLevel: 1 })) {
    // Both kinds of 16 bits are the same graph, but for the type of the weights; adapters are beside the weights.
    const isOther = built.kind === "bf16" || (built.isAdaptable && built.kind !== "fp32");
    if (built.computeType !== "float32" || isOther) continue;
    console.log(JSON.stringify(await placementOf(built, folder)));
  }
} finally {
  await memory.dispose();
  await rm(folder, { recursive: true });
}
