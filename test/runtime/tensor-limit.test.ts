import { expect, it } from "vitest";
import { input } from "../../src/onnx/graph.ts";
import { ALL_FORMS } from "../../src/onnx/kernel-forms.ts";
import { relu } from "../../src/onnx/ops.ts";
import { loadSession } from "../../src/runtime/load.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import { refusal } from "../support/refusal.ts";

it("refuses a run with a tensor that the device has no room for, and no other", async () => {
  const outputs = { y: relu(input("x", "float32", ["rows", 1024])) };
  const forms = { ...ALL_FORMS, maxTensorBytes: 2 ** 20 };
  const session = await loadSession(outputs, new WeightSet("vae", new Map()), { threads: 1, forms });
  const run = (rows: number): Promise<unknown> =>
    session.run({ x: { data: new Float32Array(rows * 1024), shape: [rows, 1024] } });
  await run(256);
  await expect(run(257)).rejects.toEqual(
    refusal(
      "MEMORY_INSUFFICIENT",
      "The network vae needs 2 MiB for the tensor Relu [257, 1024], and the device has at most 1 MiB for one; smaller images need less.",
    ),
  );
  await run(256);
  await session.dispose();
});
