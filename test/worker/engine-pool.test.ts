/** Which engines of a worker stay loaded together, without processes. */
import { describe, expect, it } from "vitest";
import { createEnginePool } from "../../src/worker/engine-pool.ts";
import type { EngineProcess } from "../../src/worker/engine-process.ts";

const SPEED = { nativeArea: 16384, grid: 16, stepMs: 1, fixedMs: 1 };

/** Of the engine that needs so much. */
const encodingsOf = (needs: number) => ({ hits: needs, misses: 2 * needs, bytes: 3 * needs });

function engineOf(needs: number, events: string[], name: string): EngineProcess {
  let isReady = false;
  let neededBytes: number | undefined;
  return {
    get isReady() {
      return isReady;
    },
    encodings: encodingsOf(needs),
    get neededBytes() {
      return neededBytes;
    },
    async ready() {
      if (!isReady) {
        events.push(`load ${name}`);
        await Promise.resolve();
      }
      isReady = true;
      neededBytes = needs;
      return SPEED;
    },
    async unload() {
      events.push(`unload ${name}`);
      isReady = false;
    },
    run: async () => ({ kind: "absent" }),
    fetch: async () => (events.push(`fetch ${name}`), { kind: "absent" }),
    checkStorage: async () => void events.push(`check ${name}`),
    kill: () => (isReady = false),
    close: async () => void events.push(`close ${name}`),
  };
}

function poolOf(needs: Readonly<Record<string, number>>, limitBytes?: number) {
  const events: string[] = [];
  const engines = Object.entries(needs).map(
    ([name, bytes]) => [name, engineOf(bytes, events, name)] as const,
  );
  const pool = createEnginePool(new Map(engines), { limitBytes });
  return { pool, events, load: (name: string) => pool.load(name) };
}

describe("the engines of a worker", () => {
  it("are loaded by turns where they do not fit together", async () => {
    const { pool, events, load } = poolOf({ a: 60, b: 60 }, 100);
    for (const name of ["a", "a", "b", "a"]) await load(name);
    expect(events).toEqual(["load a", "unload a", "load b", "unload b", "load a"]);
    expect([pool.isLoaded("a"), pool.isLoaded("b"), pool.isReady]).toEqual([true, false, true]);
  });

  it("stay loaded where they take three quarters of the memory together, once it is known what each takes", async () => {
    const { events, load } = poolOf({ a: 35, b: 40 }, 100);
    for (const name of ["a", "b", "a", "b", "a"]) await load(name);
    expect(events).toEqual(["load a", "unload a", "load b", "load a"]);
  });

  it("make room by the one that was used longest ago", async () => {
    const { events, load } = poolOf({ a: 25, b: 25, c: 25, d: 25 }, 100);
    // What each takes is learned.
    for (const name of ["a", "b", "c", "d"]) await load(name);
    events.length = 0;
    for (const name of ["a", "b", "a", "c"]) await load(name);
    expect(events).toEqual(["load a", "load b", "unload d", "load c"]);
  });

  it("are loaded one at a time, whoever asks", async () => {
    const { events, load } = poolOf({ a: 60, b: 60 }, 100);
    await Promise.all([load("a"), load("b")]);
    expect(events).toEqual(["load a", "unload a", "load b"]);
  });

  it("count their encodings together", () => {
    const { pool } = poolOf({ a: 60, b: 40 });
    expect(pool.encodings).toEqual({ hits: 100, misses: 200, bytes: 300 });
  });

  it("fetch and check the storage by one that is loaded", async () => {
    const { pool, events, load } = poolOf({ a: 60, b: 60 }, 100);
    await load("b");
    await pool.checkStorage();
    await pool.fetch("job", "https://pictures.example/a.png", { signal: new AbortController().signal });
    await pool.close();
    expect(events).toEqual(["load b", "check b", "fetch b", "close a", "close b"]);
  });
});
