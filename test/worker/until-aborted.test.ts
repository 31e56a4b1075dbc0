import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { untilAborted } from "../../src/worker/until-aborted.ts";

describe("untilAborted", () => {
  it("is the work's result or failure while no signal comes", async () => {
    const { signal } = new AbortController();
    expect(await untilAborted(Promise.resolve("done"), signal)).toBe("done");
    await expect(untilAborted(Promise.reject(new Error("It broke.")), signal)).rejects.toThrow("It broke.");
  });

  it("is nothing as soon as the signal comes, or where it came before", async () => {
    const controller = new AbortController();
    const waiting = untilAborted(new Promise(() => {}), controller.signal);
    controller.abort();
    expect(await waiting).toBeUndefined();
    expect(await untilAborted(new Promise(() => {}), controller.signal)).toBeUndefined();
  });

  it("takes no notice of what becomes of the work afterwards", async () => {
    const controller = new AbortController();
    let fail = (_error: Error): void => {};
    const work = new Promise<never>((_resolve, reject) => (fail = reject));
    const waiting = untilAborted(work, controller.signal);
    controller.abort();
    expect(await waiting).toBeUndefined();
    // Unheard, this would end the program.
    fail(new Error("It broke."));
    await new Promise((resolve) => setImmediate(resolve));
  });

  it("leaves no listener on a signal that lives on", async () => {
    const { signal } = new AbortController();
    await Promise.allSettled([
      untilAborted(Promise.resolve(), signal),
      untilAborted(Promise.reject(new Error("It broke.")), signal),
    ]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
