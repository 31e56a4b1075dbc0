/** Devices that compute the shipped checkpoint rightly and wrongly: the CPU in their guise, with faults. */
import { beforeAll, describe, expect, it } from "vitest";
import { type ChosenDevice, chooseDevice, type DeviceOptions } from "../../src/engine/choose-device.ts";
import type { TriedNetwork } from "../../src/engine/device-trial.ts";
import { type EditExtent, usualEdit } from "../../src/engine/extent.ts";
import { SHIPPED_CHECKPOINT } from "../../src/engine/shipped.ts";
import { ALL_FORMS } from "../../src/onnx/kernel-forms.ts";
import { openModel } from "../../src/pipelines/index.ts";
import type { DeviceChoice } from "../../src/runtime/devices.ts";
import type { WeightSet } from "../../src/weights/weight-set.ts";
import { createsWith, faulty, installation } from "../support/installations.ts";
import { refusal } from "../support/refusal.ts";

let networks: TriedNetwork[];
let usual: EditExtent;
beforeAll(async () => {
  const { model } = await openModel(SHIPPED_CHECKPOINT);
  usual = usualEdit(model.native, model.usual);
  networks = model.components.map((definition) => ({
    definition,
    weights: model.stored[definition.weights] as WeightSet,
  }));
});

async function choose(
  choice: DeviceChoice,
  program: string,
  options: Partial<DeviceOptions> = {},
): Promise<ChosenDevice> {
  const own = await installation(program, { hasCuda: false });
  const settle = await chooseDevice(choice, { threads: 1, installation: own, ...options });
  return settle(networks, usual);
}

/** Ten in a hundred too much: 20 dB. */
const TENTH = "(data) => data.map((value) => value * 1.1)";
/** Whether a model has a Cast to float16, by the bytes of the attribute. */
const COMPUTES_HALF = String.raw`(model) => model.includes("\x02to\x18\x0a")`;
const HAS_ATTENTION = '(model) => model.includes("MultiHeadAttention")';
/** A device that answers again what it has computed once, in no time. */
const FAST = "if (known) return known;";
const SLOW = "await new Promise((resolve) => setTimeout(resolve, 300));";

describe("a device that was asked for", () => {
  it("computes in float16 where that is near enough, with its own kernels", async () => {
    expect(await choose("webgpu", faulty({}))).toEqual({
      name: "webgpu",
      reason: "as asked",
      computeType: "float16",
      forms: {
        attention: expect.stringMatching(/fused|written/),
        byteProducts: "blocks",
        convChannels: "fours",
        maxOutputs: 7,
        maxTensorBytes: 2 ** 27,
        hasFloat16: true,
      },
      notices: [],
    });
  });

  it("has attention written out where its own is wrong", async () => {
    const { forms, computeType } = await choose("webgpu", faulty({ hasFault: HAS_ATTENTION, fault: TENTH }));
    expect(forms!.attention).toBe("written");
    expect(computeType).toBe("float16");
  });

  it("is refused, with the numbers, if it computes a network wrongly", async () => {
    const program = faulty({ hasFault: HAS_ATTENTION, fault: TENTH });
    const forms = { ...ALL_FORMS, maxOutputs: 7, maxTensorBytes: 2 ** 27, hasFloat16: false };
    await expect(choose("webgpu", program, { forms })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        /^device webgpu cannot be used: it computes the .* 20\.0 dB from the processor; at least 40 dB are needed\.$/,
      ),
    );
  });

  it("computes in float32, with a notice, where float16 is too far off", async () => {
    const hasFault = `(model) => model.includes("transformer_blocks") && (${COMPUTES_HALF})(model)`;
    const chosen = await choose("webgpu", faulty({ hasFault, fault: TENTH }));
    expect(chosen.computeType).toBe("float32");
    expect(chosen.notices).toEqual([
      "In float16 webgpu cannot be used, so it computes in float32: it computes the first blocks of the transformer 20.0 dB from the processor; at least 40 dB are needed.",
    ]);
    await expect(
      choose("webgpu", faulty({ hasFault, fault: TENTH }), { computeType: "float16" }),
    ).rejects.toEqual(
      refusal("INVALID_PARAMETER", /the first blocks of the transformer 20\.0 dB from the processor/),
    );
  });

  it("computes in float32 where it has no float16", async () => {
    const hasFault = COMPUTES_HALF;
    const fault = '() => { throw new Error("no float16") }';
    const chosen = await choose("webgpu", faulty({ hasFault, fault }));
    expect(chosen).toMatchObject({ computeType: "float32", forms: { hasFloat16: false }, notices: [] });
    await expect(choose("webgpu", faulty({ hasFault, fault }), { computeType: "float16" })).rejects.toEqual(
      refusal("INVALID_PARAMETER", "device webgpu cannot be used: it does not compute in float16."),
    );
  });

  it.each([
    ["the autoencoder's decoder", "decoder.conv_in"],
    ["the autoencoder's encoder", "encoder.conv_in"],
    ["the first layer of T5", "relative_attention_bias"],
    ["the modulation of the first blocks", "time_text_embed"],
  ])("is refused for %s", async (part, key) => {
    const program = faulty({ hasFault: `(model) => model.includes(${JSON.stringify(key)})`, fault: TENTH });
    await expect(choose("webgpu", program)).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        `device webgpu cannot be used: it computes ${part} 20.0 dB from the processor; at least 40 dB are needed.`,
      ),
    );
  });

  it("is refused where a network fails or crashes it", async () => {
    const crash = '(model) => model.includes("time_text_embed") && process.kill(process.pid, "SIGSEGV")';
    await expect(choose("webgpu", faulty({ hasFault: crash }))).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "device webgpu cannot be used: the modulation of the first blocks fails: trying it ends with SIGSEGV.",
      ),
    );
  });

  it("is refused before any network is looked at where it does not work", async () => {
    const own = await installation(createsWith('throw new Error("no GPU is free")'));
    await expect(chooseDevice("webgpu", { threads: 1, installation: own })).rejects.toEqual(
      refusal("INVALID_PARAMETER", "device webgpu cannot be used: no GPU is free."),
    );
  });
});

describe("auto", () => {
  it("takes a device that is right and faster", async () => {
    const { name, reason, notices } = await choose("auto", faulty({ run: FAST }));
    expect(name).toBe("webgpu");
    expect(reason).toMatch(/^\d+\.\d times as fast as the processor$/);
    expect(notices).toEqual([]);
  });

  it("takes the processor where that is faster", async () => {
    expect(await choose("auto", faulty({ run: SLOW }))).toEqual({
      name: "cpu",
      reason: expect.stringMatching(/^WebGPU was measured at 0\.\d\d times its speed$/),
      computeType: "float32",
      notices: [],
    });
  });

  it("takes the processor, with a notice, where the device is wrong", async () => {
    const program = faulty({
      hasFault: '(model) => model.includes("decoder.conv_in")',
      fault: TENTH,
      run: FAST,
    });
    expect(await choose("auto", program)).toEqual({
      name: "cpu",
      reason: "WebGPU cannot be used",
      computeType: "float32",
      notices: [
        "WebGPU is installed and cannot be used, so the processor computes: it computes the autoencoder's decoder 20.0 dB from the processor; at least 40 dB are needed.",
      ],
    });
  });

  it("starts nothing where there is no GPU", async () => {
    const program = createsWith("throw new Error('tried')");
    const own = await installation(program, { hasCuda: false, hasGpu: false });
    const settle = await chooseDevice("auto", { threads: 1, installation: own });
    expect(await settle(networks, usual)).toEqual({
      name: "cpu",
      reason: "no other device is set up",
      computeType: "float32",
      notices: [],
    });
  });
});

it("tries the same networks on the same device once", async () => {
  const own = await installation(faulty({ run: FAST }), { hasCuda: false });
  const options = { threads: 1, installation: own };
  const first = await (await chooseDevice("webgpu", options))(networks, usual);
  expect(await (await chooseDevice("webgpu", options))(networks, usual)).toBe(first);
});
