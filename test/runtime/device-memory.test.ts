/** What an edit holds where there is nothing to hold it in; `test/webgpu/held.webgpu.ts` has the same on a device. */
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { buildModel, input } from "../../src/onnx/graph.ts";
import { relu } from "../../src/onnx/ops.ts";
import { DeviceMemory } from "../../src/runtime/device-memory.ts";
import { DeviceTensor, type RuntimeTensor } from "../../src/runtime/device-tensor.ts";
import { Session } from "../../src/runtime/session.ts";
import { tensor } from "../support/onnx.ts";
import { refusal } from "../support/refusal.ts";

/** A buffer that counts how often it is freed. */
function buffer(dims: number[]): { tensor: RuntimeTensor; freed: number } {
  const made = { tensor: undefined as unknown as RuntimeTensor, freed: 0 };
  made.tensor = { dims, dispose: () => (made.freed += 1) } as unknown as RuntimeTensor;
  return made;
}

describe("what an edit holds on the CPU", () => {
  it("is what it was, without a copy", async () => {
    const memory = await DeviceMemory.open({ threads: 1 });
    const tensors = { a: tensor([1, 2, 3]) };
    expect(await memory.hold(tensors)).toBe(tensors);
    const whole = tensor([1, 2, 3, 4], [2, 2]);
    const rows = await memory.rows(whole);
    expect(rows).toEqual([tensor([1, 2]), tensor([3, 4])]);
    expect(rows.every(({ data }) => data.buffer === whole.data.buffer)).toBe(true);
    expect(await memory.take(tensors)).toBe(tensors);
    expect(memory.heldBytes).toBe(0);
    await memory.dispose();
    expect([...tensors.a.data]).toEqual([1, 2, 3]);
  });

  it("is not counted: nothing travels", async () => {
    const traffic = { up: 0, down: 0, held: 0 };
    const model = buildModel("relu", { y: relu(input("x", "float32", [2])) });
    const options = { name: "relu", weightsFolder: tmpdir(), threads: 1, traffic, areOutputsHeld: true };
    const session = await Session.load(model, options);
    expect(await session.run({ x: tensor([-1, 1]) })).toEqual({ y: tensor([0, 1]) });
    expect(traffic).toEqual({ up: 0, down: 0, held: 0 });
    await session.dispose();
  });
});

describe("a tensor on a device", () => {
  it("is refused by a network on the CPU, which would read its handle as numbers", async () => {
    const model = buildModel("relu", { y: relu(input("x", "float32", [2])) });
    const session = await Session.load(model, { name: "relu", weightsFolder: tmpdir(), threads: 1 });
    await expect(session.run({ x: new DeviceTensor(buffer([2]).tensor) })).rejects.toEqual(
      refusal("RUNTIME_FAILED", "The network relu fails: An input is on another device."),
    );
    await session.dispose();
  });

  it("has no numbers here, and is freed once, whatever its shape", () => {
    const made = buffer([2, 3]);
    const whole = new DeviceTensor(made.tensor);
    const row = whole.reshaped([6]);
    expect([whole.shape, row.shape, row.byteLength]).toEqual([[2, 3], [6], 24]);
    expect(() => row.data).toThrow("These numbers are on the device.");
    row.free();
    whole.free();
    expect(made.freed).toBe(1);
  });
});
