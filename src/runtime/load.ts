/** From a graph to a session: serialise it and load it with its weights in place. */
import { buildModel, type Value } from "../onnx/graph.ts";
import type { WeightSet } from "../weights/weight-set.ts";
import { Session } from "./session.ts";

/** @param threads threads of one run; 0 leaves the choice to the runtime */
export function loadSession(
  outputs: Readonly<Record<string, Value>>,
  weights: WeightSet,
  threads: number,
): Promise<Session> {
  const { name, baseFolder } = weights;
  return Session.load(buildModel(name, outputs), { name, weightsFolder: baseFolder, threads });
}
