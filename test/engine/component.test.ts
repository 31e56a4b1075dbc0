/** What a network is loaded for where its device has attention written out. */
import { expect, it } from "vitest";
import { Component } from "../../src/engine/component.ts";
import { input } from "../../src/onnx/graph.ts";
import { ALL_FORMS } from "../../src/onnx/kernel-forms.ts";
import { attention } from "../../src/onnx/ops.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import { difference } from "../support/compare.ts";

/** Attention of one head of 2 numbers, whose scores may take 4 x 10 x 10 bytes. */
function attending(form: "fused" | "written"): Component {
  const x = input("x", "float32", [1, "tokens", 2]);
  const forms = { ...ALL_FORMS, attention: form, maxTensorBytes: 400 };
  const outputs = { y: attention(x, x, x, { numHeads: 1 }) };
  return new Component("one", {
    outputs,
    weights: new WeightSet("one", new Map()),
    runtime: { threads: 1, forms },
  });
}

it("is loaded again where an edit needs its attention in more turns than it was loaded for", async () => {
  const component = attending("written");
  component.fit({ tokens: 10 });
  const first = await component.load();
  component.fit({ tokens: 5 });
  expect(await component.load()).toBe(first);
  component.fit({ tokens: 20 });
  const second = await component.load();
  expect(second).not.toBe(first);
  const data = new Float32Array(40).fill(1);
  const { y } = await second.run({ x: { data, shape: [1, 20, 2] } });
  expect(difference(y!.data as Float32Array, data).largest).toBeLessThan(1e-6);
  component.fit({ tokens: 15 });
  expect(await component.load()).toBe(second);
  await component.release();
});

it("stays loaded for edits of any size where attention is one operator", async () => {
  const component = attending("fused");
  component.fit({ tokens: 10 });
  const first = await component.load();
  component.fit({ tokens: 2000 });
  expect(await component.load()).toBe(first);
  await component.release();
});
