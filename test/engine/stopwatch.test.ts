import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EDIT_PARTS, Stopwatch } from "../../src/engine/stopwatch.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const pass = (seconds: number): Promise<void> =>
  vi.advanceTimersByTimeAsync(1000 * seconds).then(() => undefined);

describe("Stopwatch", () => {
  it("adds up what each part takes, failures too, and nothing else", async () => {
    const stopwatch = new Stopwatch();
    await stopwatch.time("read", () => pass(1));
    await pass(10);
    await stopwatch.time("read", () => pass(2));
    const failing = stopwatch.time("texts", () => pass(3).then(() => Promise.reject(new Error("no text"))));
    await expect(failing).rejects.toThrow("no text");
    stopwatch.add("denoise", 4);
    expect(stopwatch.seconds).toEqual({
      ...Object.fromEntries(EDIT_PARTS.map((part) => [part, 0])),
      read: 3,
      texts: 3,
      denoise: 4,
    });
  });

  it("takes what is inside of a part out of it, so that parts add up", async () => {
    const stopwatch = new Stopwatch();
    const result = await stopwatch.time("encode", async () => {
      await pass(1);
      await stopwatch.time("check", () => pass(2));
      await pass(3);
      return "done";
    });
    expect(result).toBe("done");
    expect(stopwatch.seconds).toMatchObject({ check: 2, encode: 4 });
  });
});
