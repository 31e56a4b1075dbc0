/** Graphs run on the software device beside the CPU. */
import { vi } from "vitest";
import { serialise, type Value } from "../../src/onnx/graph.ts";
import { type KernelForms, type Sizes, withForms } from "../../src/onnx/kernel-forms.ts";
import { DeviceProcess } from "../../src/runtime/device-process.ts";
import { thisInstallation } from "../../src/runtime/installation.ts";
import type { Tensor } from "../../src/runtime/session.ts";
import { softwareGpu } from "../../tools/software-gpu.ts";
import { difference } from "../support/compare.ts";
import { evaluateAll } from "../support/onnx.ts";
import { temporaryFolder } from "../support/temporary.ts";

const TIMEOUT_MS = 200_000;

export class DeviceGraphs {
  readonly #process = new DeviceProcess("webgpu", thisInstallation(), { timeoutMs: TIMEOUT_MS });

  constructor() {
    // The process finds the software device by the environment that it inherits.
    for (const [name, value] of Object.entries(softwareGpu())) vi.stubEnv(name, value);
  }

  /**
   * How far the device's outputs are from the CPU's, the worst of all.
   * @param forms how the graph is rewritten for the device; the CPU computes it as it is
   * @throws TrialError if the device does not compute it
   */
  async distance(
    outputs: Readonly<Record<string, Value>>,
    inputs: Readonly<Record<string, Tensor>>,
    { forms, sizes }: { forms: KernelForms; sizes?: Sizes },
  ): Promise<number> {
    const { model, hostNodes } = serialise("test", withForms(outputs, forms, sizes));
    const options = { threads: 1, weightsFolder: await temporaryFolder(), hostNodes };
    const actual = (await this.#process.run({ model, inputs, options })).outputs;
    const expected = Object.entries(await evaluateAll(outputs, inputs));
    return Math.max(...expected.map(([name, { data }]) => difference(actual[name]!, data).relative));
  }

  close(): void {
    this.#process.close();
    vi.unstubAllEnvs();
  }
}
