import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createBatchProgress } from "../../../src/cli/batch/progress.ts";
import type { SummaryRow } from "../../../src/cli/batch/summary.ts";
import type { EditStep } from "../../../src/index.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

const stream = (isTTY: boolean) => ({
  isTTY,
  columns: 100,
  text: "",
  write(text: string) {
    this.text += text;
  },
});
const waiting: SummaryRow = { input: "a.png", status: "waiting" };
const done: SummaryRow = { input: "a.png", output: "out/a.png", status: "done", seconds: 2 };
const failed: SummaryRow = { input: "b.png", status: "failed", error: "b.png: it is \u001B[31mred." };
const rows = [done, waiting, waiting, waiting];

function follow(progress: ReturnType<typeof createBatchProgress>): void {
  progress.begin(rows);
  progress.editing("bird\u001B[31m.png");
  vi.advanceTimersByTime(10_000);
  void progress.step({ step: 1, of: 2 } as EditStep);
  vi.advanceTimersByTime(10_000);
  progress.ended(done, ["The prompt was cut."]);
  progress.ended(failed, []);
  progress.ended(done, ["The prompt was cut."]);
  progress.clear();
}

describe("the progress of a batch", () => {
  it("is a bar over all edits on a terminal, with the time that is left once it is known", () => {
    const terminal = stream(true);
    follow(createBatchProgress(terminal, true));
    expect(terminal.text.split("\r").map((line) => line.replace("\u001B[K", ""))).toEqual([
      "",
      "[######------------------] 1/4, bird?[31m.png",
      "[#########---------------] 1/4, 50 s left, bird?[31m.png, step 1/2",
      "retouch: The prompt was cut.\n",
      "[############------------] 2/4, 40 s left, bird?[31m.png",
      "retouch: 3/4 failed: b.png: it is ?[31mred.\n",
      "[##################------] 3/4, 10 s left, bird?[31m.png",
      "[########################] 4/4, 0 s left, bird?[31m.png",
      "",
    ]);
  });

  it("is a line for each edit elsewhere", () => {
    const file = stream(false);
    follow(createBatchProgress(file, true));
    expect(file.text.split("\n")).toEqual([
      "retouch: 2/4 done: out/a.png (2.00 s)",
      "retouch: The prompt was cut.",
      "retouch: 3/4 failed: b.png: it is ?[31mred.",
      "retouch: 4/4 done: out/a.png (2.00 s)",
      "",
    ]);
  });

  it("is what failed alone where none is wanted", () => {
    for (const quiet of [stream(true), stream(false)]) {
      follow(createBatchProgress(quiet, false));
      expect(quiet.text).toBe("retouch: 3/4 failed: b.png: it is ?[31mred.\n");
    }
  });
});
