/** From a graph to a session: serialises it and loads it with its weights in place. */
import { serialise, type Value } from "../onnx/graph.ts";
import { type KernelForms, type Sizes, withForms } from "../onnx/kernel-forms.ts";
import type { WeightSet } from "../weights/weight-set.ts";
import { formsOf } from "./forms-of.ts";
import { type RuntimeOptions, Session, type SessionOptions } from "./session.ts";
import { tensorLimit } from "./tensor-limit.ts";

/** What the weights and the graph do not decide. */
type LoadOptions = Omit<SessionOptions, "name" | "weightsFolder" | "isWideningDelayed" | "hostNodes">;

/** What the kernels can do that a network runs on. */
export const formsIn = ({ device = "cpu", forms }: RuntimeOptions): KernelForms => forms ?? formsOf(device);

/** @param sizes the largest of the graph's named dimensions, as far as they are known (`withForms`) */
export function loadSession(
  outputs: Readonly<Record<string, Value>>,
  weights: WeightSet,
  runtime: LoadOptions,
  sizes: Sizes = {},
): Promise<Session> {
  const { model, options } = modelOf(outputs, weights, runtime, sizes);
  return Session.load(model, options);
}

/** What a session is loaded from. */
export function modelOf(
  outputs: Readonly<Record<string, Value>>,
  weights: WeightSet,
  runtime: LoadOptions,
  sizes: Sizes = {},
): { model: Uint8Array; options: SessionOptions } {
  const { name, baseFolder, isKeptHalf } = weights;
  // WebGPU cannot widen: it has no bfloat16, and float16 on some adapters only.
  const isWideningDelayed = isKeptHalf && runtime.device !== "webgpu";
  const forms = formsIn(runtime);
  const { model, hostNodes, deviceNodes } = serialise(name, withForms(outputs, forms, sizes));
  const checkShapes = tensorLimit(name, deviceNodes, forms.maxTensorBytes);
  const options = { name, ...runtime, weightsFolder: baseFolder, isWideningDelayed, hostNodes, checkShapes };
  return { model, options };
}
