/** A network of a checkpoint that can be loaded when it is needed, released after, and loaded again. */
import { loadSession } from "../runtime/load.ts";
import type { RuntimeOptions, Session } from "../runtime/session.ts";
import type { WeightSet } from "../weights/weight-set.ts";
import type { ComponentName } from "./memory-plan.ts";

/** A network as `models/` describes it. */
type Outputs = Parameters<typeof loadSession>[0];

export class Component {
  readonly name: ComponentName;
  readonly #outputs: Outputs;
  readonly #weights: WeightSet;
  readonly #runtime: RuntimeOptions;
  #session: Session | undefined;

  /** @param outputs of its graph, built once: whether the weights fit it is known before anything is loaded */
  constructor(name: ComponentName, outputs: Outputs, weights: WeightSet, runtime: RuntimeOptions) {
    this.name = name;
    this.#outputs = outputs;
    this.#weights = weights;
    this.#runtime = runtime;
  }

  get isLoaded(): boolean {
    return this.#session !== undefined;
  }

  /** @throws RetouchError RUNTIME_FAILED */
  async load(): Promise<Session> {
    this.#session ??= await loadSession(this.#outputs, this.#weights, this.#runtime);
    return this.#session;
  }

  /** Gives its memory back. */
  async release(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.dispose();
  }
}
