/**
 * Graphs run on the software device, in a process that loads the runtime alone. One process serves a file of tests: a
 * graph that crashes it fails, and so do those after it.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { buildModel, serialise, type Value } from "../../src/onnx/graph.ts";
import { type KernelForms, type Sizes, withForms } from "../../src/onnx/kernel-forms.ts";
import { thisInstallation } from "../../src/runtime/devices.ts";
import type { Tensor } from "../../src/runtime/session.ts";
import { softwareGpu } from "../../tools/software-gpu.ts";
import { difference } from "../support/compare.ts";

type Outputs = Readonly<Record<string, Value>>;

/** Runs each graph that it is sent once, and answers with its outputs or with why there are none. */
const PROCESS = `
const { InferenceSession, Tensor } = require(process.argv[1]);
process.on("message", async ({ model, feeds, provider }) => {
  try {
    const session = await InferenceSession.create(model, { executionProviders: [provider], logSeverityLevel: 4 });
    const given = Object.entries(feeds).map(([name, { data, shape }]) => [
      name,
      new Tensor(data instanceof BigInt64Array ? "int64" : "float32", data, shape),
    ]);
    const outputs = Object.entries(await session.run(Object.fromEntries(given)));
    await session.release();
    process.send({ outputs: Object.fromEntries(outputs.map(([name, { data }]) => [name, data])) });
  } catch (error) {
    process.send({ reason: error.message });
  }
});
`;

interface Answer {
  outputs?: Record<string, Float32Array>;
  reason?: string;
}

export class DeviceGraphs {
  readonly #process: ChildProcess;

  constructor() {
    this.#process = spawn(process.execPath, ["--eval", PROCESS, thisInstallation().module], {
      env: softwareGpu(),
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
  }

  /**
   * How far the device's outputs are from the CPU's, the worst of all.
   * @param forms how the graph is rewritten for the device; the CPU computes it as it is
   */
  async distance(
    outputs: Outputs,
    feeds: Readonly<Record<string, Tensor>>,
    { forms, sizes }: { forms: KernelForms; sizes?: Sizes },
  ): Promise<number> {
    const { model, hostNodes } = serialise("test", withForms(outputs, forms, sizes));
    const provider = hostNodes.length === 0 ? "webgpu" : { name: "webgpu", forceCpuNodeNames: hostNodes };
    const expected = await this.#run({ model: buildModel("test", outputs), feeds, provider: "cpu" });
    const actual = await this.#run({ model, feeds, provider });
    const names = Object.keys(expected);
    return Math.max(...names.map((name) => difference(actual[name]!, expected[name]!).relative));
  }

  async close(): Promise<void> {
    if (!this.#process.connected) return;
    const closed = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await closed;
  }

  async #run(message: object): Promise<Record<string, Float32Array>> {
    const abort = new AbortController();
    try {
      const answered = once(this.#process, "message", abort) as Promise<[Answer]>;
      const ended = once(this.#process, "exit", abort).then(
        () => [{ reason: "The process ended." }] as [Answer],
      );
      this.#process.send(message);
      const [{ outputs, reason }] = await Promise.race([answered, ended]);
      if (outputs) return outputs;
      throw new Error(reason);
    } finally {
      abort.abort();
    }
  }
}
