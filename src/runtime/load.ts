/** From a graph to a session: serialises it and loads it with its weights in place. */
import { buildModel, type Value } from "../onnx/graph.ts";
import { ALL_FORMS, withForms } from "../onnx/kernel-forms.ts";
import type { WeightSet } from "../weights/weight-set.ts";
import { Session, type SessionOptions } from "./session.ts";

/** What the weights do not decide. */
type LoadOptions = Omit<SessionOptions, "name" | "weightsFolder" | "isWideningDelayed">;

export function loadSession(
  outputs: Readonly<Record<string, Value>>,
  weights: WeightSet,
  runtime: LoadOptions,
): Promise<Session> {
  const { name, baseFolder, isKeptHalf } = weights;
  const options = { name, ...runtime, weightsFolder: baseFolder, isWideningDelayed: isKeptHalf };
  return Session.load(buildModel(name, withForms(outputs, runtime.forms ?? ALL_FORMS)), options);
}
