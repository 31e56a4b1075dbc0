import type { LookupAddress } from "node:dns";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createResolve } from "../../src/net/resolve.ts";

const ANSWER: LookupAddress[] = [{ address: "127.0.0.1", family: 4 }];

describe("createResolve", () => {
  it("knows the names of this machine, by all their addresses", async () => {
    const addresses = (await createResolve()("localhost")).map(({ address }) => address);
    expect(addresses.length).toBeGreaterThan(0);
    for (const address of addresses) expect(["127.0.0.1", "::1"]).toContain(address);
  });

  it("asks for two names at once, for the others in their order, and goes on after a failure", async () => {
    const asked: string[] = [];
    const answer = new Map<string, (error?: Error) => void>();
    const resolve = createResolve((hostname) => {
      asked.push(hostname);
      return new Promise((done, fail) => {
        answer.set(hostname, (error) => (error ? fail(error) : done(ANSWER)));
      });
    });
    const outcomes = ["a", "b", "c", "d"].map((name) => resolve(name).catch((error) => error.message));
    await turn();
    expect(asked).toEqual(["a", "b"]);
    answer.get("b")!(new Error("no such name"));
    await turn();
    expect(asked).toEqual(["a", "b", "c"]);
    answer.get("c")!();
    await turn();
    expect(asked).toEqual(["a", "b", "c", "d"]);
    for (const name of ["a", "d"]) answer.get(name)!();
    expect(await Promise.all(outcomes)).toEqual([ANSWER, "no such name", ANSWER, ANSWER]);
    // All places are free again.
    const later = ["e", "f", "g"].map((name) => resolve(name));
    await turn();
    expect(asked.slice(4)).toEqual(["e", "f"]);
    for (const name of ["e", "f"]) answer.get(name)!();
    await turn();
    answer.get("g")!();
    await Promise.all(later);
  });

  it("keeps a place for another lane while one has names that take for ever", async () => {
    const asked: string[] = [];
    const resolve = createResolve((hostname) => {
      asked.push(hostname);
      return hostname.startsWith("hangs") ? new Promise(() => {}) : Promise.resolve(ANSWER);
    });
    for (let count = 0; count < 16; count += 1) void resolve(`hangs-${count}`, { lane: "one" });
    for (const name of ["a", "b"]) expect(await resolve(name, { lane: "two" })).toEqual(ANSWER);
    expect(asked).toEqual(["hangs-0", "a", "b"]);
  });

  it("does not look up what nobody asks for any more", async () => {
    const asked: string[] = [];
    let answer = (): void => {};
    const resolve = createResolve((hostname) => {
      asked.push(hostname);
      return new Promise((done) => (answer = () => done(ANSWER)));
    });
    const controller = new AbortController();
    const first = resolve("a", { lane: "one" });
    const gone = resolve("b", { lane: "one", signal: controller.signal });
    const last = resolve("c", { lane: "one" });
    controller.abort(new Error("too late"));
    await expect(gone).rejects.toThrow("too late");
    await expect(resolve("d", { lane: "one", signal: controller.signal })).rejects.toThrow("too late");
    answer();
    await first;
    await turn();
    answer();
    expect(await last).toEqual(ANSWER);
    expect(asked).toEqual(["a", "c"]);
  });
});
