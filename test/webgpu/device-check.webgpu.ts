/** The trial of a device on the software device, whose attention is wrong from 32 rows on without an error. */
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type ChosenDevice, chooseDevice, type DeviceOptions } from "../../src/engine/choose-device.ts";
import type { TriedNetwork } from "../../src/engine/device-trial.ts";
import { type EditExtent, usualEdit } from "../../src/engine/extent.ts";
import { SHIPPED_CHECKPOINT } from "../../src/engine/shipped.ts";
import type { KernelForms } from "../../src/onnx/kernel-forms.ts";
import { openModel } from "../../src/pipelines/index.ts";
import type { DeviceChoice } from "../../src/runtime/devices.ts";
import { formsOf } from "../../src/runtime/forms-of.ts";
import { thisInstallation } from "../../src/runtime/installation.ts";
import type { WeightSet } from "../../src/weights/weight-set.ts";
import { fixtures } from "../support/fixtures.ts";
import { installation } from "../support/installations.ts";
import { refusal } from "../support/refusal.ts";
import { softwareGpu, withoutSoftwareGpu } from "../../tools/software-gpu.ts";
import { needDevice } from "./compare.ts";

/** Devices are tried in child processes, which find the software device by this process's environment. */
beforeAll(() => {
  if (withoutSoftwareGpu !== undefined) return;
  for (const [name, value] of Object.entries(softwareGpu())) vi.stubEnv(name, value);
});
afterAll(() => void vi.unstubAllEnvs());

async function choose(
  choice: DeviceChoice,
  folder: string,
  options: Partial<DeviceOptions> = {},
): Promise<ChosenDevice> {
  const { networks, usual } = await read(folder);
  return (await chooseDevice(choice, { threads: 1, ...options }))(networks, usual);
}

async function read(folder: string): Promise<{ networks: TriedNetwork[]; usual: EditExtent }> {
  const { model } = await openModel(folder);
  const networks = model.components.map((definition) => ({
    definition,
    weights: model.stored[definition.weights] as WeightSet,
  }));
  return { networks, usual: usualEdit(model.native, model.usual) };
}

const TINY = path.join(fixtures, "checkpoints", "plain");

/** As what is known of the device without a trial, with which most of these tests compute. */
const MEASURED: KernelForms = {
  attention: "written",
  convChannels: "fours",
  maxOutputs: 7,
  maxTensorBytes: 128 * 1024 ** 2,
  hasFloat16: false,
  byteProducts: "blocks",
};

describe("the software device", () => {
  it("is measured as what is known of it", () => expect(formsOf("webgpu")).toEqual(MEASURED));

  it.for([
    ["the shipped checkpoint", SHIPPED_CHECKPOINT],
    ["a tiny FLUX.2", path.join(fixtures, "klein", "checkpoints", "plain")],
  ] as const)("computes %s in float32 with attention written out", async ([name, folder], context) => {
    needDevice(context);
    const started = performance.now();
    expect(await choose("webgpu", folder)).toEqual({
      name: "webgpu",
      reason: "as asked; in software, libvk_swiftshader.so",
      computeType: "float32",
      forms: MEASURED,
      notices: [],
    });
    console.log(`WebGPU, trial of ${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  });

  it("is refused, with the numbers, with attention as one operator", async (context) => {
    needDevice(context);
    await expect(choose("webgpu", TINY, { forms: { ...MEASURED, attention: "fused" } })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        /^device webgpu cannot be used: it computes the first \w+ of \S.* -?\d+\.\d dB from the processor; at least 40 dB are needed\.$/,
      ),
    );
  });

  it("is refused, with the numbers, with convolutions of six channels", async (context) => {
    needDevice(context);
    const odd = path.join(fixtures, "checkpoints", "odd");
    await expect(choose("webgpu", odd, { forms: { ...MEASURED, convChannels: "any" } })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        /^device webgpu cannot be used: it computes the autoencoder's encoder -?\d+\.\d dB from the processor; at least 40 dB are needed\.$/,
      ),
    );
  });

  it("is refused in float16, which it does not have", async (context) => {
    needDevice(context);
    await expect(choose("webgpu", TINY, { computeType: "float16" })).rejects.toEqual(
      refusal("INVALID_PARAMETER", "device webgpu cannot be used: it does not compute in float16."),
    );
  });

  it("is passed over by auto, even where there may be a GPU", async (context) => {
    needDevice(context);
    const { root } = await installation("");
    expect(
      await choose("auto", SHIPPED_CHECKPOINT, { installation: { ...thisInstallation(), root } }),
    ).toEqual({
      name: "cpu",
      reason: "WebGPU is software here, libvk_swiftshader.so, and used by name only",
      computeType: "float32",
      notices: [],
    });
  });
});
