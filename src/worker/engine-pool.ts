/**
 * The engines of one worker, one for each endpoint that it serves. They are loaded on demand, and as many stay loaded as
 * the memory of the worker allows; the one that was used longest ago is unloaded first.
 */
import type { EncodingCounts } from "../engine/encodings.ts";
import type { EditSpeed } from "../engine/estimate.ts";
import { SHARED_SHARE } from "../engine/memory-plan.ts";
import { totalOfEncodings } from "./encoding-total.ts";
import type { EngineProcess } from "./engine-process.ts";

export interface EnginePool {
  /** In the order of the settings. */
  readonly endpoints: readonly string[];
  /** Whether any engine is warmed up and alive. */
  readonly isReady: boolean;
  /** Of all engines together. */
  readonly encodings: EncodingCounts;
  isLoaded(endpoint: string): boolean;
  /**
   * Loads an engine, after unloading others where memory asks for it. Only while no job runs.
   * @returns once it has warmed up
   * @throws Error with a sentence if it cannot
   */
  load(endpoint: string): Promise<EditSpeed>;
  /** @returns the engine that edits for this endpoint, loaded or not */
  of(endpoint: string): EngineProcess;
  /** As the engine's own, by any that is loaded: images and the storage are the same to all. */
  fetch: EngineProcess["fetch"];
  checkStorage: EngineProcess["checkStorage"];
  /** Ends all processes for good. */
  close(): Promise<void>;
}

/**
 * @param engines by endpoint, in the order of the settings; at least one
 * @param limitBytes memory of the worker @default no other engine stays while one is loaded
 */
export function createEnginePool(
  engines: ReadonlyMap<string, EngineProcess>,
  { limitBytes = 0 }: { limitBytes?: number | undefined } = {},
): EnginePool {
  const endpoints = [...engines.keys()];
  /** Used longest ago first. */
  let byUse: readonly string[] = endpoints;
  let last: Promise<unknown> = Promise.resolve();
  const engineOf = (endpoint: string): EngineProcess => engines.get(endpoint)!;
  const isLoaded = (endpoint: string): boolean => engineOf(endpoint).isReady;
  /** One that was never loaded may need everything. */
  const needOf = (endpoint: string): number => engineOf(endpoint).neededBytes ?? Infinity;
  const anyLoaded = (): EngineProcess => engineOf(byUse.findLast(isLoaded) ?? endpoints[0]!);

  async function makeRoom(endpoint: string): Promise<void> {
    const others = byUse.filter((other) => other !== endpoint && isLoaded(other));
    const total = (): number => [endpoint, ...others].reduce((sum, one) => sum + needOf(one), 0);
    // What is left of the memory is for larger edits than usual.
    while (others.length > 0 && total() > SHARED_SHARE * limitBytes) {
      await engineOf(others.shift()!).unload();
    }
  }

  return {
    endpoints,
    get isReady() {
      return endpoints.some(isLoaded);
    },
    get encodings() {
      return totalOfEncodings([...engines.values()]);
    },
    isLoaded,
    load(endpoint) {
      // One at a time: an engine that is still being loaded cannot be unloaded.
      const loading = last.then(async () => {
        if (!isLoaded(endpoint)) await makeRoom(endpoint);
        byUse = [...byUse.filter((other) => other !== endpoint), endpoint];
        return engineOf(endpoint).ready();
      });
      last = loading.catch(() => {});
      return loading;
    },
    of: engineOf,
    fetch: (...call) => anyLoaded().fetch(...call),
    checkStorage: () => anyLoaded().checkStorage(),
    async close() {
      await Promise.all([...engines.values()].map((engine) => engine.close()));
    },
  };
}
