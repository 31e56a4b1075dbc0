import { describe, expect, it } from "vitest";
import { createProgress, duration } from "../../src/cli/progress.ts";

function terminal(columns = 80): {
  isTTY: boolean;
  columns: number;
  text: string;
  write(text: string): void;
} {
  return {
    isTTY: true,
    columns,
    text: "",
    write(text) {
      this.text += text;
    },
  };
}

describe("createProgress", () => {
  it("draws a line over the last one, and clears it at the end", () => {
    const stream = terminal();
    const progress = createProgress(stream, true);
    progress.phase("loading");
    progress.step({ step: 7, of: 28, seconds: 14 });
    progress.clear();
    progress.clear();
    expect(stream.text).toBe(
      "\rloading\u001B[K\r[######------------------] step 7/28, 2.00 s per step, 42 s left\u001B[K\r\u001B[K",
    );
  });

  it("draws bytes, and the rate and what is left once they are known", () => {
    const stream = terminal();
    const progress = createProgress(stream, true);
    progress.bytes({ done: 0, of: 34e9, perSecond: undefined });
    progress.bytes({ done: 17e9, of: 34e9, perSecond: 45.6e6 });
    progress.bytes({ done: 34e9, of: 34e9, perSecond: 0 });
    expect(stream.text.split("\u001B[K").map((line) => line.slice(1))).toEqual([
      "[------------------------] 0 bytes of 34.0 GB",
      "[############------------] 17.0 GB of 34.0 GB, 45.6 MB/s, 6 min 13 s left",
      "[########################] 34.0 GB of 34.0 GB, 0 bytes/s",
      "",
    ]);
  });

  it("never wraps", () => {
    const stream = terminal(20);
    createProgress(stream, true).step({ step: 50, of: 50, seconds: 1 });
    expect(stream.text).toBe("\r[##################\u001B[K");
  });

  it("shows nothing on what is no terminal, or when it is not wanted", () => {
    const file = { ...terminal(), isTTY: false };
    const unwanted = terminal();
    for (const progress of [createProgress(file, true), createProgress(unwanted, false)]) {
      progress.phase("loading");
      progress.step({ step: 1, of: 2, seconds: 1 });
      progress.clear();
    }
    expect(file.text + unwanted.text).toBe("");
  });
});

describe("duration", () => {
  it.each([
    [0, "0 s"],
    [59.4, "59 s"],
    [59.6, "1 min 00 s"],
    [185, "3 min 05 s"],
    [7800, "2 h 10 min"],
  ])("%d seconds are %s", (seconds, text) => expect(duration(seconds)).toBe(text));
});
