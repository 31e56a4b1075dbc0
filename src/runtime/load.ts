/** From a graph to a session: serialises it and loads it with its weights in place. */
import { buildModel, type Value } from "../onnx/graph.ts";
import { ALL_FORMS, withForms } from "../onnx/kernel-forms.ts";
import type { WeightSet } from "../weights/weight-set.ts";
import { type RuntimeOptions, Session, type SessionOptions } from "./session.ts";

export function loadSession(
  outputs: Readonly<Record<string, Value>>,
  weights: WeightSet,
  runtime: RuntimeOptions,
): Promise<Session> {
  const { model, options } = modelOf(outputs, weights, runtime);
  return Session.load(model, options);
}

/** What a session is loaded from. */
export function modelOf(
  outputs: Readonly<Record<string, Value>>,
  weights: WeightSet,
  runtime: RuntimeOptions,
): { model: Uint8Array; options: SessionOptions } {
  const { name, baseFolder, isKeptHalf } = weights;
  const options = { name, ...runtime, weightsFolder: baseFolder, isWideningDelayed: isKeptHalf };
  return { model: buildModel(name, withForms(outputs, runtime.forms ?? ALL_FORMS)), options };
}
